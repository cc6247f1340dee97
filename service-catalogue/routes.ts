import type { Route } from '../runtime/admin-api.ts'
import { createAnchorRoutes } from './anchor-routes.ts'
import { createApiKeyRoutes } from './api-key-routes.ts'
import { createAuthorityRoutes } from './authorities.ts'
import type { CatalogueContext } from './context.ts'
import { createContractRoutes } from './contracts.ts'
import { createGatewayRoutes } from './gateways.ts'
import { createGroupRoutes } from './groups.ts'
import { createInspectionRoutes } from './inspection.ts'
import { createLogKeyRoutes } from './log-key-routes.ts'
import { createMemberRoutes } from './members.ts'
import { createPublicRoutes } from './public-routes.ts'
import { createRegistrationRoutes } from './registrations.ts'
import { createRequestRoutes } from './request-routes.ts'
import { createServiceContentRoutes } from './service-content-routes.ts'
import { createServiceEventRoutes } from './service-events.ts'
import { createServiceLifeRoutes } from './service-life-routes.ts'
import { createServiceListRoutes } from './service-list-route.ts'
import { createServiceRoutes } from './services.ts'
import { createStopRoutes } from './stops.ts'
import { createSubsystemRoutes } from './subsystems.ts'
import { createTimeStampingRoutes } from './time-stamping-authorities.ts'
import { createWebhookRoutes } from './webhooks.ts'
import { createWitnessListRoutes } from './witnesses.ts'

/** Everything the catalogue serves. */
export function createCatalogueRoutes(context: CatalogueContext): Route[] {
  return [
    ...createPublicRoutes(context),
    ...createAnchorRoutes(context),
    ...createRegistrationRoutes(context),
    ...createInspectionRoutes(context),
    ...createAuthorityRoutes(context),
    ...createTimeStampingRoutes(context),
    ...createMemberRoutes(context),
    ...createSubsystemRoutes(context),
    ...createGatewayRoutes(context),
    ...createServiceRoutes(context),
    ...createServiceListRoutes(context),
    ...createServiceLifeRoutes(context),
    ...createServiceContentRoutes(context),
    ...createServiceEventRoutes(context),
    ...createWebhookRoutes(context),
    ...createGroupRoutes(context),
    ...createLogKeyRoutes(context),
    ...createWitnessListRoutes(context),
    ...createContractRoutes(context),
    ...createStopRoutes(context),
    ...createApiKeyRoutes(context),
    ...createRequestRoutes(context, createOwnedRoutes),
  ]
}

/** What is asked for, and approved. */
function createOwnedRoutes(context: CatalogueContext): Route[] {
  return [
    ...createMemberRoutes(context),
    ...createSubsystemRoutes(context),
    ...createGatewayRoutes(context),
    ...createServiceRoutes(context),
  ]
}
