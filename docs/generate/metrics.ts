import { GATEWAY_METRICS, METRICS_PREFIX } from '../../gateway/metrics-table.ts'
import { table } from './table.ts'

const INTRODUCTION = `# Metrics

Each gateway serves these at \`GET /metrics\` of its administration port, with its token, in the text format 0.0.4 of
Prometheus: [deployment.md](deployment.md#watch) has the job. A gauge whose value is not known is left out. Labels: \`kind\` is
\`authentication\` or \`signing\`, \`member\` who a certificate is for, \`own\` whether it is one of this gateway's, \`thumbprint\` SHA-256
of its DER in base64url.

`

/** docs/metrics.md, from gateway/metrics.ts. */
export function metricsPage(): string {
  const rows = Object.entries(GATEWAY_METRICS).map(([name, { type, labels, help }]) => [
    `\`${METRICS_PREFIX}${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ])
  return INTRODUCTION + table(['Metric', 'Type', 'Labels', 'Meaning'], rows)
}
