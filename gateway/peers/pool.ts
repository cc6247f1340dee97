import type { TLSSocket } from 'node:tls'
import { Pool } from 'undici'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { GatewayEntry } from '../catalogue-view.ts'
import type { SlottedPool } from '../outgoing/http-request.ts'
import { createSlots } from '../outgoing/slots.ts'
import { tlsConnector } from '../outgoing/tls-connector.ts'
import type { OwnTls } from '../credentials/tls.ts'
import type { Trust } from '../ports.ts'

export interface PoolOptions {
  readonly trust: Trust
  /** Takes the OCSP answer about a certificate that came with it in the handshake, unverified. */
  readonly takeStapled?: (certificate: Certificate, ocsp: Buffer) => void
  readonly clock: Clock
  readonly connectMs: number
  /** Longest wait for the head of an answer. */
  readonly answerMs: number
  readonly idleMs: number
  readonly connections: number
}
export interface PeerPool extends SlottedPool {
  readonly gateway: GatewayEntry
  /** Thumbprint of the certificate of ours that its connections show. */
  readonly shown: string
  /** Open connections, and the certificate that each was made with. */
  readonly open: Map<TLSSocket, Certificate>
  /** Exchanges under way. */
  uses: number
  usedAt: number
  /** Takes no new exchange; is closed, and says so, with the last one under way. */
  onClosed?: () => void
}

/** Connections to one gateway as the snapshot has it: mTLS 1.3, pinned to its certificates. */
export function openPool(gateway: GatewayEntry, own: OwnTls, options: PoolOptions): PeerPool {
  const open: PeerPool['open'] = new Map()
  const pool = new Pool(gateway.address, {
    connections: options.connections,
    pipelining: 1,
    headersTimeout: options.answerMs,
    bodyTimeout: options.idleMs,
    keepAliveTimeout: 30_000,
    maxHeaderSize: LIMITS.wireHeaderBytes,
    allowH2: false,
    connect: tlsConnector({
      connectMs: options.connectMs,
      certificate: own.cert,
      privateKey: own.key,
      asksStaple: options.takeStapled !== undefined,
      // The snapshot says which certificate; no name in it matters (protocol/README.md §6.2).
      verify: async ({ certificate, stapled, socket }) => {
        if (stapled) options.takeStapled?.(certificate, stapled)
        await options.trust.verify(certificate, 'authentication', options.clock())
        if (!gateway.certificates.has(certificate.thumbprint)) {
          throw new ExchangeError(
            'provider.certificate-unregistered',
            `the certificate ${certificate.subject} at ${gateway.address} is not registered for ${gateway.id}`,
          )
        }
        if (socket.destroyed) return
        open.set(socket, certificate)
        socket.once('close', () => open.delete(socket))
      },
    }),
  })
  const slots = createSlots(options.connections, options.connectMs)
  const usage = { uses: 0, usedAt: performance.now() }
  return { gateway, shown: own.thumbprint, pool, slots, open, ...usage }
}

/** Holds a pool for an exchange, until `scope` is disposed. */
export function usePool(peer: PeerPool, scope: AsyncDisposableStack): void {
  peer.uses += 1
  scope.defer(() => {
    peer.uses -= 1
    peer.usedAt = performance.now()
    if (peer.uses === 0) closeRetired(peer)
  })
}

/** Gives a pool no new exchange; those under way are not cut off. */
export function retirePool(peer: PeerPool, onClosed: () => void): void {
  peer.onClosed ??= onClosed
  if (peer.uses === 0) closeRetired(peer)
}

function closeRetired({ pool, onClosed }: PeerPool): void {
  if (onClosed && !pool.closed) void pool.close().then(onClosed)
}

/** The certificate is not one to have a connection with: what runs over it now is cut off. */
const BAD = new Set<ErrorCode>([
  'certificate.revoked',
  'certificate.untrusted',
  'certificate.issuer-missing',
])

/**
 * A certificate is good for each exchange anew: a connection whose certificate is not any more ends. One
 * that ran out was good when its exchanges began, and these go on to their end.
 *
 * @returns `expired` when an open connection was made with a certificate that has run out since.
 */
export async function endBadConnections(
  { open }: PeerPool,
  { trust, clock }: Pick<PoolOptions, 'trust' | 'clock'>,
): Promise<'good' | 'expired'> {
  let found: 'good' | 'expired' = 'good'
  for (const certificate of new Set(open.values())) {
    try {
      await trust.verify(certificate, 'authentication', clock())
    } catch (error) {
      // What cannot be known for now ends no exchange that is under way.
      if (!(error instanceof ExchangeError)) throw error
      if (error.code === 'certificate.expired') found = 'expired'
      else if (!BAD.has(error.code)) throw error
      // Told by the next connection, if that shows the same.
      else for (const [socket, shown] of open) if (shown === certificate) socket.destroy()
    }
  }
  return found
}
