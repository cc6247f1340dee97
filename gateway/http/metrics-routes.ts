import type { Route } from '../../runtime/admin-api.ts'
import { media } from '../../runtime/route-description.ts'
import type { Metrics } from '../../runtime/metrics.ts'

/** What Prometheus scrapes, with the token of the administration. */
export function createMetricsRoutes(metrics: Metrics): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      access: 'admin',
      about: { summary: 'Metrics, for Prometheus', answers: { 200: media('text/plain') } },
      handle: async () => ({
        headers: { 'content-type': metrics.contentType },
        body: await metrics.text(),
      }),
    },
  ]
}
