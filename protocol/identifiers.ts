import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'

/**
 * Letters, digits and marks of any script (Khmer and Lao vowels are marks), and the punctuation that
 * X-Road allows (PR-REST §4.8). No leading dot: `.` and `..` are path syntax. No leading mark: it
 * would join the slash before it. No space at either end: nobody sees it.
 */
const PART = /^(?![.\p{M} ])[\p{L}\p{N}\p{M}'()+,\-.=?_:@ ]+(?<! )$/u

/** A member, or a subsystem of one. Only {@link parseClientId} and {@link readClientId} make one. */
export interface ClientId {
  readonly instance: string
  readonly memberClass: string
  readonly member: string
  readonly subsystem?: string
}
export interface SubsystemId extends ClientId {
  readonly subsystem: string
}
export interface ServiceId extends SubsystemId {
  readonly service: string
}
export interface GatewayId {
  readonly instance: string
  readonly memberClass: string
  readonly member: string
  readonly gateway: string
}

/**
 * Reads a client identifier as it stands in `X-Road-Client`.
 *
 * @param text `INSTANCE/CLASS/MEMBER[/SUBSYSTEM]`, each part percent-encoded by itself.
 * @throws ExchangeError `request.identifier-invalid` (400).
 * @see protocol/README.md §2.2; RFC 3986 §2.4.
 */
export function parseClientId(text: string): ClientId {
  return clientOf(decodeParts(text), 'X-Road-Client')
}

/** The same from its decoded form, as manifests and snapshots have it. */
export function readClientId(text: string): ClientId {
  return clientOf(checkParts(text), 'client identifier')
}

function clientOf(parts: readonly string[], what: string): ClientId {
  const [instance, memberClass, member, subsystem] = parts
  if (parts.length > 4 || !instance || !memberClass || !member) {
    throw invalid(`${what} has ${parts.length} parts, not three or four`)
  }
  return { instance, memberClass, member, ...(subsystem === undefined ? {} : { subsystem }) }
}

/** @throws ExchangeError `request.identifier-invalid` unless the decoded text has four good parts. */
export function readSubsystemId(text: string): SubsystemId {
  const client = readClientId(text)
  if (client.subsystem === undefined) throw invalid('a subsystem identifier has four parts')
  return { ...client, subsystem: client.subsystem }
}

/** @throws ExchangeError `request.identifier-invalid` unless the decoded text has five good parts. */
export function readServiceId(text: string): ServiceId {
  return serviceOf(checkParts(text))
}

/** From the five path segments of a call, still percent-encoded (protocol/README.md §2.2). */
export function parseServiceId(segments: readonly string[]): ServiceId {
  return serviceOf(segments.map(decodePart))
}

function serviceOf(parts: readonly string[]): ServiceId {
  const [instance, memberClass, member, subsystem, service] = parts
  if (parts.length !== 5 || !instance || !memberClass || !member || !subsystem || !service) {
    throw invalid(`a service identifier has five parts, not ${parts.length}`)
  }
  return { instance, memberClass, member, subsystem, service }
}

/** Reads `INSTANCE/CLASS/MEMBER/GATEWAY`, percent-encoded, as in `X-Road-Security-Server`. */
export function parseGatewayId(text: string): GatewayId {
  return gatewayOf(decodeParts(text))
}

/** The same from its decoded form. */
export function readGatewayId(text: string): GatewayId {
  return gatewayOf(checkParts(text))
}

function gatewayOf(parts: readonly string[]): GatewayId {
  const [instance, memberClass, member, gateway] = parts
  if (parts.length !== 4 || !instance || !memberClass || !member || !gateway) {
    throw invalid(`a gateway identifier has four parts, not ${parts.length}`)
  }
  return { instance, memberClass, member, gateway }
}

/** Reads `[CLASS/]MEMBER`, percent-encoded, as in `X-Road-Represented-Party`; decoded in return. */
export function parseRepresentedParty(text: string): string {
  const parts = decodeParts(text)
  if (parts.length > 2) throw invalid('X-Road-Represented-Party has one or two parts')
  return parts.join('/')
}

/** Decoded form. No part holds a slash, so it is unambiguous, and equal texts are equal identifiers. */
export function formatId(id: ClientId | ServiceId | GatewayId): string {
  return partsOf(id).join('/')
}

/** Form for headers and paths: each part percent-encoded by itself. */
export function encodeId(id: ClientId | ServiceId | GatewayId): string {
  return partsOf(id).map(encodeURIComponent).join('/')
}

/** `INSTANCE/CLASS/MEMBER` of anything that belongs to a member. */
export function memberOf({ instance, memberClass, member }: ClientId | GatewayId): string {
  return `${instance}/${memberClass}/${member}`
}

function partsOf(id: ClientId | ServiceId | GatewayId): string[] {
  const parts = [id.instance, id.memberClass, id.member]
  if ('gateway' in id) parts.push(id.gateway)
  if ('subsystem' in id && id.subsystem !== undefined) parts.push(id.subsystem)
  if ('service' in id) parts.push(id.service)
  return parts
}

// Parts are decoded one by one, after splitting: decoding first would let %2F in a part forge a
// shorter path to another member's service.
function decodeParts(text: string): string[] {
  return text.split('/').map(decodePart)
}

function decodePart(text: string): string {
  // A header's bytes beyond ASCII come as Latin-1 and would be read as letters that nobody wrote.
  if (/[^\x20-\x7e]/.test(text)) throw invalid('an identifier is not percent-encoded')
  try {
    return checkPart(decodeURIComponent(text))
  } catch (error) {
    if (error instanceof ExchangeError) throw error
    throw invalid('an identifier is not percent-encoded UTF-8')
  }
}

function checkParts(text: string): string[] {
  return text.split('/').map(checkPart)
}

/** @throws ExchangeError `request.identifier-invalid` unless `part` may stand between two slashes. */
export function checkPart(part: string): string {
  if (part.length > LIMITS.identifierPartLength) {
    throw invalid(
      `a part of an identifier is longer than ${LIMITS.identifierPartLength} characters`,
    )
  }
  if (!PART.test(part)) {
    throw invalid('a part of an identifier is empty or has a character that is not allowed')
  }
  // One spelling for each name: two that look alike must not be two members (Unicode UAX #15).
  if (part !== part.normalize('NFC')) throw invalid('an identifier is not in Unicode NFC')
  return part
}

function invalid(detail: string): ExchangeError {
  return new ExchangeError('request.identifier-invalid', detail)
}
