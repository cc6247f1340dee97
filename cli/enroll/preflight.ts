import { createServer } from 'node:net'
import { request, Agent } from 'undici'
import type { EstClient } from '../../pki/est-client.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import type { EnrollOrder } from './order.ts'

/** Says one line of progress. */
export type Report = (line: string) => void

/** Certificates of days are not issued to clocks that are minutes off; and every signature bears a time. */
const CLOCK_TOLERANCE_MS = 60_000
const ANSWER_MS = 10_000

/**
 * Looks whether an enrolment can succeed, before a code is spent: each finding is one line.
 *
 * @throws ExchangeError with the first that makes it impossible.
 */
export async function preflight(order: EnrollOrder, est: EstClient, report: Report): Promise<void> {
  const { date, certificates } = await est.cacerts().catch((error: unknown) => {
    throw explain(error, order)
  })
  const names = certificates.map(({ subject }) => subject)
  report(
    `authority   ${order.authority} answers, and leads to a root of the anchor (${names.length} certificates)`,
  )
  checkClock(date, order, report)
  await askCatalogue(order, report)
  await lookAtPort(order, report)
}

const TLS_FAULTS: readonly [pattern: RegExp, meaning: string][] = [
  [
    /UNABLE_TO|SELF_SIGNED|CERT_UNTRUSTED|UNABLE_TO_VERIFY/,
    'its certificate leads to none of the roots in the anchor: this is another authority, or the anchor of another instance',
  ],
  [/CERT_HAS_EXPIRED/, 'its certificate has ended, or the clock of this machine is ahead'],
  [/CERT_NOT_YET_VALID/, 'its certificate is not valid yet: the clock of this machine is behind'],
  [/ALTNAME_INVALID/, 'its certificate is for another host name: call it by the name it has'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known: check the name, and DNS'],
  [/ECONNREFUSED/, 'nothing listens there: check the port, and that the authority runs'],
  [/TIMEOUT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, 'no answer: check route and firewall'],
]

/** Adds to a fault of the connection what it means here. */
function explain(error: unknown, { authority }: EnrollOrder): unknown {
  if (!(error instanceof ExchangeError)) return error
  const meaning = TLS_FAULTS.find(([pattern]) => pattern.test(error.message))?.[1]
  if (meaning === undefined) return error
  return new ExchangeError(error.code, `${authority}: ${meaning} (${error.message})`, {
    cause: error,
  })
}

function checkClock(date: Date | undefined, { authority }: EnrollOrder, report: Report): void {
  if (date === undefined) {
    report(`clock       not compared: ${authority} says no time`)
    return
  }
  const offMs = Date.now() - date.getTime()
  const off = `${Math.abs(Math.round(offMs / 1000))} s ${offMs < 0 ? 'behind' : 'ahead of'} the authority`
  if (Math.abs(offMs) > CLOCK_TOLERANCE_MS) {
    throw new ExchangeError('gateway.clock-off', `the clock of this machine is ${off}`)
  }
  report(`clock       agrees with the authority`)
}

async function askCatalogue({ anchor }: EnrollOrder, report: Report): Promise<void> {
  const { catalogueUrl, rootCertificates, instance } = anchor
  await using resources = new AsyncDisposableStack()
  const agent = new Agent({ connect: { ca: rootCertificates, timeout: ANSWER_MS } })
  resources.defer(() => agent.destroy())
  const text = await request(new URL('/status', catalogueUrl), {
    dispatcher: agent,
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
  })
    .then(async ({ body }) => (await readAtMost(body, 65_536)).toString('utf8'))
    .catch((cause: unknown) => {
      const { code, message } = cause as NodeJS.ErrnoException
      throw new ExchangeError(
        'catalogue.unavailable',
        `the catalogue ${catalogueUrl} of the anchor cannot be reached (${code ?? message})`,
        { cause },
      )
    })
  if (!text.includes(`"instance":${JSON.stringify(instance)}`)) {
    throw new ExchangeError(
      'catalogue.unavailable',
      `${catalogueUrl} is not the catalogue of ${instance}`,
    )
  }
  report(`catalogue   ${catalogueUrl} answers for ${instance}`)
}

/** Whether others reach the port cannot be seen from here; whether it is free can. */
async function lookAtPort({ address }: EnrollOrder, report: Report): Promise<void> {
  const port = portOf(address)
  const server = createServer()
  const isFree = await new Promise<boolean>((done) => {
    server.once('error', () => done(false))
    server.listen(port, () => server.close(() => done(true)))
  })
  report(
    isFree
      ? `port        ${port} is free here; other gateways must reach it as ${address} (firewall, DNS)`
      : `port        ${port} is in use here: by this gateway, if it runs already; else choose another`,
  )
}

export const portOf = (address: string): number => Number(new URL(address).port || 443)
