import type { Route } from '../runtime/admin-api.ts'
import { createAuthorityRoutes } from './authorities.ts'
import type { CatalogueContext } from './context.ts'
import { createGatewayRoutes } from './gateways.ts'
import { createGroupRoutes } from './groups.ts'
import { createInspectionRoutes } from './inspection.ts'
import { createLogKeyRoutes } from './log-key-routes.ts'
import { createMemberRoutes } from './members.ts'
import { createPublicRoutes } from './public-routes.ts'
import { createRegistrationRoutes } from './registrations.ts'
import { createServiceContentRoutes } from './service-content-routes.ts'
import { createServiceEventRoutes } from './service-events.ts'
import { createServiceLifeRoutes } from './service-life-routes.ts'
import { createServiceRoutes } from './services.ts'
import { createSubsystemRoutes } from './subsystems.ts'
import { createTimeStampingRoutes } from './time-stamping-authorities.ts'
import { createWebhookRoutes } from './webhooks.ts'
import { createWitnessListRoutes } from './witnesses.ts'

/** Everything the catalogue serves. */
export function createCatalogueRoutes(context: CatalogueContext): Route[] {
  return [
    ...createPublicRoutes(context),
    ...createRegistrationRoutes(context),
    ...createInspectionRoutes(context),
    ...createAuthorityRoutes(context),
    ...createTimeStampingRoutes(context),
    ...createMemberRoutes(context),
    ...createSubsystemRoutes(context),
    ...createGatewayRoutes(context),
    ...createServiceRoutes(context),
    ...createServiceLifeRoutes(context),
    ...createServiceContentRoutes(context),
    ...createServiceEventRoutes(context),
    ...createWebhookRoutes(context),
    ...createGroupRoutes(context),
    ...createLogKeyRoutes(context),
    ...createWitnessListRoutes(context),
  ]
}
