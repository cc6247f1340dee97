import { copyFileSync, existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { filesOf, type EnrollOrder } from './order.ts'
import { portOf, type Report } from './preflight.ts'

/** Writes the gateway's configuration, unless there is one: that is a person's by now. */
export function ensureConfig(order: EnrollOrder, report: Report): string {
  const { config, anchor } = filesOf(order)
  if (resolve(order.anchorFile) !== resolve(anchor)) copyFileSync(order.anchorFile, anchor)
  if (existsSync(config)) {
    report(`configuration   ${config} is left as it is`)
    return config
  }
  const { gateway, member, authority, address } = order
  const content = {
    gatewayId: gateway,
    stateDir: 'state',
    anchorFile: 'anchor.json',
    authentication: { keyFile: 'authentication.key', certificateFile: 'authentication.pem' },
    signing: [{ member, keyFile: 'signing.key', certificateFile: 'signing.pem' }],
    enrolment: { url: authority },
    peers: { host: '0.0.0.0', port: portOf(address) },
  }
  writeFileAtomically(config, `${JSON.stringify(content, undefined, 2)}\n`)
  report(`configuration   ${config} written; certificates renew themselves at ${authority}`)
  return config
}
