import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { openAuthority } from '../../pki/authority/authority.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { createOcspRequest, parseOcspRequest } from '../../pki/ocsp-request.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { temporaryFolder } from '../pki/support.ts'
import { obtain } from '../support/certificates.ts'
import { shiftedClock, type ShiftedClock } from '../support/clock.ts'

/** An authority whose OCSP responder behaves as a test says. */
export interface Responder extends AsyncDisposable {
  readonly issuing: Certificate
  readonly clock: ShiftedClock
  /** Serial numbers that were asked for, in the order of the requests. */
  readonly asked: string[]
  readonly mostAtOnce: number
  delayMs: number
  /**
   * `other` answers about another certificate, `long` with more than anybody reads, `replay` with
   * the last good answer again, `no-nonce` from a store, as RFC 5019 has it.
   */
  behave: 'answer' | 'no-nonce' | 'replay' | 'garbage' | 'error' | 'long' | 'other' | 'down'
  issue(): Promise<Certificate>
  revoke(certificate: Certificate): void
  /** Holds every answer back until the function that it returns is called. */
  hold(): () => void
}

export async function startResponder(): Promise<Responder> {
  const clock = shiftedClock()
  let url = ''
  const authority = await openAuthority({
    instance: 'KH-TEST',
    stateDir: join(temporaryFolder(), 'authority'),
    publicUrl: () => url,
    clock: clock.now,
  })
  const order = {
    kind: 'signing',
    identity: { instance: 'KH-TEST', memberClass: 'GOV', member: 'REG' },
  } as const
  const issued = new Map<string, Certificate>()
  let released = Promise.resolve()
  let underWay = 0
  let lastAnswer: Uint8Array = Buffer.alloc(0)
  let mostAtOnce = 0
  const reply = async (question: Buffer, response: ServerResponse): Promise<void> => {
    const [certId] = parseOcspRequest(question).certIds
    responder.asked.push(certId!.serial)
    await released
    await new Promise((done) => setTimeout(done, responder.delayMs))
    if (!server.listening) return // the test is over
    switch (responder.behave) {
      case 'answer':
        lastAnswer = (await authority.answerOcsp(question)).der
        return void response.end(lastAnswer)
      case 'no-nonce': {
        const stored = createOcspRequest(issued.get(certId!.serial)!, authority.issuers.signing)
        return void response.end((await authority.answerOcsp(stored)).der)
      }
      case 'replay':
        return void response.end(lastAnswer)
      case 'garbage':
        return void response.end('this is no answer')
      case 'error':
        return void response.writeHead(503).end((await authority.answerOcsp(question)).der)
      case 'long':
        return void response.end(Buffer.alloc(1_000_000))
      case 'other': {
        const other = createOcspRequest(await responder.issue(), authority.issuers.signing)
        return void response.end((await authority.answerOcsp(other)).der)
      }
      case 'down':
        response.destroy()
    }
  }
  const server = createServer((request, response) => {
    underWay += 1
    mostAtOnce = Math.max(mostAtOnce, underWay)
    response.once('close', () => (underWay -= 1))
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => void reply(Buffer.concat(chunks), response))
  })
  const listening = await listen(server, 0)
  url = `http://127.0.0.1:${listening.port}`
  const responder: Responder = {
    issuing: authority.issuers.signing,
    clock,
    asked: [],
    delayMs: 0,
    behave: 'answer',
    get mostAtOnce() {
      return mostAtOnce
    },
    issue: async () => {
      const { certificate } = await obtain(authority, order)
      issued.set(certificate.serial, certificate)
      return certificate
    },
    revoke: ({ serial }) => void authority.revoke(serial, 'keyCompromise'),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      released = promise
      return resolve
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await listening[Symbol.asyncDispose]()
      await authority[Symbol.asyncDispose]()
    },
  }
  return responder
}
