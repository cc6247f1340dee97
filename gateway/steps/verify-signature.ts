import { ExchangeError } from '../../protocol/errors.ts'
import {
  headerBlock,
  headerBlockDigest,
  singleValue,
  type HeaderBlock,
} from '../../protocol/header-block.ts'
import { readCallHeaders } from '../../protocol/headers.ts'
import { formatId, memberOf, readClientId } from '../../protocol/identifiers.ts'
import { parseRequestManifest, type RequestManifest } from '../../protocol/manifest.ts'
import { parseTarget } from '../../protocol/target.ts'
import { verifySpokenFor } from '../checks/peer.ts'
import type { Authenticated, Verified } from '../exchange-state.ts'
import type { ProviderGateway } from '../ports.ts'
import { verifyManifest } from './verify-manifest.ts'

/**
 * Verifies that the client's member signed this very request, and that the calling gateway may speak
 * for that client (protocol/README.md §6.3). The body follows in `verify-body`.
 *
 * @throws ExchangeError `manifest.*`, `certificate.*`, `peer.client-mismatch`, `request.*`.
 */
export async function verifySignature(
  state: Authenticated,
  { trust, clockCheck, catalogue }: ProviderGateway,
): Promise<Verified> {
  const { peer, rawHeaders, receivedAt } = state
  const { jws, signer, payload } = await verifyManifest(rawHeaders, {
    member: undefined,
    view: state.catalogue,
    catalogue,
    trust,
    clockCheck,
    sender: peer.id,
    at: receivedAt,
  })
  const request = parseRequestManifest(payload)
  const client = readClientId(request.client)
  if (memberOf(client) !== signer) {
    throw new ExchangeError('manifest.signer-unknown', `${signer} signed for ${request.client}`)
  }
  verifySpokenFor(peer, request.client, request.gateway)
  const headers = headerBlock(rawHeaders)
  compare(request, state, headerBlockDigest(headers))
  const target = parseTarget(request.target)
  if (formatId(target.service) !== request.service || !agrees(request, headers)) {
    throw new ExchangeError('manifest.malformed', 'the manifest contradicts its own message')
  }
  return { ...state, client, target, headers, request, requestJws: jws }
}

/** The service reads the headers, an auditor the manifest: they must say the same. */
function agrees(request: RequestManifest, headers: HeaderBlock): boolean {
  const said = readCallHeaders(headers)
  return (
    formatId(said.client) === request.client &&
    said.messageId === request.messageId &&
    said.userId === request.userId &&
    said.issue === request.issue &&
    said.representedParty === request.representedParty &&
    said.purpose === request.purpose &&
    singleValue(headers, 'x-road-request-id') === request.exchangeId
  )
}

function compare(request: RequestManifest, state: Authenticated, headersDigest: string): void {
  const part =
    request.method !== state.method
      ? 'the method'
      : request.target !== state.rawTarget
        ? 'the path'
        : request.headersDigest !== headersDigest
          ? 'the header block'
          : undefined
  if (part === undefined) return
  throw new ExchangeError('manifest.message-altered', `${part} is not the signed one`)
}
