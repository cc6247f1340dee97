import { ERRORS } from '../../protocol/error-table.ts'
import type { ErrorCode, ErrorEntry } from '../../protocol/errors.ts'
import { table } from './table.ts'

type GroupOf<C extends string> = C extends `${infer Group}.${string}` ? Group : C

// Record makes the compiler ask for a heading when the table gets a new group.
const HEADINGS: Record<GroupOf<ErrorCode>, string> = {
  request: 'What the information system sent',
  client: 'Who asks',
  encoding: 'Bytes of certificates, requests and answers',
  certificate: 'Certificates, on any of the links',
  enrolment: 'Asking for a certificate',
  registration: 'Gateways that register themselves',
  timestamp: 'Time-stamps',
  provider: 'The provider and its gateway',
  service: 'The service',
  response: 'The answer',
  peer: 'The other gateway',
  manifest: 'The signed manifest',
  access: 'Access',
  contract: 'Contracts',
  validation: 'Messages and the description of the service',
  catalogue: 'The catalogue',
  anchor: 'Anchors of the catalogue that follow each other',
  log: 'The exchange log',
  evidence: 'Evidence',
  storage: 'Room for bodies',
  gateway: 'The gateway',
  admin: 'Administration',
  internal: 'Everything else',
}

const INTRODUCTION = `# Error codes

Every refusal of a gateway, of the catalogue and of the authority has one of these codes. A code is part of the protocol:
it does not change its meaning.

- Where to read it: in \`code\` of an \`application/problem+json\` answer, in the sentence \`message\` of an X-Road answer, in
  the column OUTCOME of \`spean log list\`, in \`code\` of the gateway's log line.
- **Fault** is the X-Road fault code: \`type\` of an X-Road answer and the header \`X-Road-Error\`. Where it has \`$\`, stands the
  side that refused: \`clientproxy\` or \`serverproxy\` (\`catalogue\` and \`authority\` in their own answers).
- **To act**, in the answer as \`move\`: who can. \`client\` who calls, \`provider\` the owner of the service, \`instance\` the operator of the
  instance, \`here\` the operator of the gateway that refused, \`there\` the operator of the other one (\`client-gateway\` or
  \`provider-gateway\` in the answer). What decided stands in \`step\` and \`basis\`: [explain.md](explain.md).
- The \`detail\` of an X-Road answer is the exchange id: both gateways have the refusal under it.
`

/** docs/error-codes.md, from protocol/error-table.ts. */
export function errorCodesPage(): string {
  const entries = Object.entries<ErrorEntry>(ERRORS)
  const sections = Object.entries(HEADINGS).map(([group, heading]) => {
    const rows = entries
      .filter(([code]) => code.split('.', 1)[0] === group)
      .map(([code, { status, fault, title, remedy, move }]) => [
        `\`${code}\``,
        status,
        `\`${fault}\``,
        title,
        remedy,
        move,
      ])
    return `## ${heading}\n\n${table(['Code', 'Status', 'Fault', 'Meaning', 'What to do', 'To act'], rows)}`
  })
  return [INTRODUCTION, ...sections].join('\n')
}
