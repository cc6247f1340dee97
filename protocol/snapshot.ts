import { Ajv, type JSONSchemaType } from 'ajv'
import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose'
import { ExchangeError } from './errors.ts'

/** One HTTP method (`*` for any) and a path pattern: `*` one segment, `**` any number, last only. */
export interface Endpoint {
  readonly method: string
  readonly path: string
}
export interface SnapshotService {
  readonly code: string
  readonly title: string
  readonly type: 'REST' | 'OPENAPI'
  readonly endpoints: Endpoint[]
  /** SHA-256 of the description document, base64url; the catalogue serves it under this name. */
  readonly descriptionDigest?: string
  /** What its messages are, for what gateways keep of them: public, internal, personal, sensitive; absent: unknown. */
  readonly classification?: string
  /** `MAJOR.MINOR.PATCH`; absent: 1.0.0. Life of a service: protocol/README.md §7.8. */
  readonly version?: string
  /** Absent: published. */
  readonly state?: 'published' | 'deprecated' | 'retired'
  /** Since when it is deprecated, and when it will be retired; RFC 3339. */
  readonly deprecatedAt?: string
  readonly sunset?: string
  /** The service to use instead, decoded form. */
  readonly successor?: string
  /** Whether messages are compared with the description (§14); absent: off. */
  readonly validation?: 'enforce' | 'report' | 'off'
}
/** A client or service that the operator stopped (protocol/README.md §13.6). */
export interface SnapshotStop {
  /** A member, subsystem or service, decoded form. */
  readonly subject: string
  /** RFC 3339. */
  readonly since: string
  readonly reason: string
}
export interface SnapshotSubsystem {
  readonly code: string
  readonly name: string
  readonly services: SnapshotService[]
}
export interface SnapshotMember {
  /** `INSTANCE/CLASS/MEMBER`. */
  readonly id: string
  readonly name: string
  /** DER, base64. */
  readonly signingCertificates: string[]
  readonly subsystems: SnapshotSubsystem[]
}
export interface SnapshotGateway {
  /** `INSTANCE/CLASS/MEMBER/GATEWAY`. */
  readonly id: string
  /** `https://HOST:PORT`, where other gateways reach it. */
  readonly address: string
  /** Authentication certificates, DER, base64. */
  readonly certificates: string[]
  /** Members and subsystems it speaks for. */
  readonly clients: string[]
}
export interface SnapshotGroup {
  readonly code: string
  readonly title: string
  /** Subsystems (or members). */
  readonly members: string[]
}
/** Where one part of an identity stands in a subject (protocol/README.md §7.5). */
export interface SubjectPart {
  /** Object identifier of the attribute, dotted; it must stand exactly once. */
  readonly attribute?: string
  /** With `attribute`: what its value begins with, and is left out. */
  readonly prefix?: string
  /** With `attribute`: the value is split here, and `index` (from 0) is taken. */
  readonly separator?: string
  readonly index?: number
  /** With `separator`: how many pieces the value must have; absent: any number. */
  readonly pieces?: number
  /** Without `attribute`: the part is always this. */
  readonly value?: string
}
/** How an authority writes the identity of a member into the subjects of its certificates. */
export interface SubjectProfile {
  readonly instance: SubjectPart
  readonly memberClass: SubjectPart
  readonly member: SubjectPart
  readonly gateway?: SubjectPart
  readonly subsystem?: SubjectPart
}
export interface SnapshotAuthority {
  readonly name: string
  /** Root first, then intermediates; DER, base64. */
  readonly certificates: string[]
  /** Absent: the profile of our own authority (docs/certificate-profiles.md). */
  readonly subjectProfile?: SubjectProfile
  /** Whether its OCSP responder repeats nonces (RFC 9654); absent: it does. */
  readonly ocspNonce?: 'required' | 'optional'
}
/** A time-stamping authority by RFC 3161 that gateways may ask. */
export interface SnapshotTimeStampingAuthority {
  readonly name: string
  /** Where requests are sent, `http://` or `https://`. */
  readonly url: string
  /** What its signing certificate must be, or must lead to; DER, base64. */
  readonly certificates: string[]
}

/** One signed state of the catalogue (protocol/README.md §7). */
export interface Snapshot {
  readonly version: 1
  readonly instance: string
  /** Goes up by one or more with every state; never down. */
  readonly number: number
  /** RFC 3339, UTC. */
  readonly issuedAt: string
  readonly expiresAt: string
  readonly authorities: SnapshotAuthority[]
  readonly members: SnapshotMember[]
  readonly gateways: SnapshotGateway[]
  readonly groups: SnapshotGroup[]
  /** In the order in which gateways try them; absent: none. */
  readonly timeStampingAuthorities?: SnapshotTimeStampingAuthority[]
  /** Trust policy of the logs of all gateways (C2SP tlog-policy; §12.4); absent: none. */
  readonly logPolicy?: string
  /** Absent: nobody is stopped. */
  readonly stops?: SnapshotStop[]
}

/** Given to a gateway once, out of band: whom it believes about everything else. Those after it are signed (§7.10). */
export interface Anchor {
  readonly instance: string
  /** Absent: 1. */
  readonly number?: number
  /** Base URL of the catalogue. */
  readonly catalogueUrl: string
  /** Public keys that may sign snapshots. */
  readonly keys: JSONWebKeySet['keys']
  /** PEM certificates that the catalogue's HTTPS certificate must lead to. */
  readonly rootCertificates: string[]
}

export const SNAPSHOT_TYPE = 'spean-snapshot'

const texts = { type: 'array', items: { type: 'string' } } as const
const object = <P extends Record<string, unknown>>(properties: P, optional: (keyof P)[] = []) => ({
  type: 'object' as const,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
  properties,
})
const text = { type: 'string' } as const
const instant = {
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$',
} as const
const subjectPart = object(
  {
    attribute: { type: 'string', pattern: '^\\d+(\\.\\d+)+$' },
    prefix: text,
    separator: { type: 'string', minLength: 1 },
    index: { type: 'integer', minimum: 0, maximum: 20 },
    pieces: { type: 'integer', minimum: 1, maximum: 21 },
    value: text,
  },
  ['attribute', 'prefix', 'separator', 'index', 'pieces', 'value'],
)
const subjectProfile = object(
  {
    instance: subjectPart,
    memberClass: subjectPart,
    member: subjectPart,
    gateway: subjectPart,
    subsystem: subjectPart,
  },
  ['gateway', 'subsystem'],
)
const LIFE_OF_SERVICE = [
  ...(['descriptionDigest', 'classification', 'version', 'state'] as const),
  ...(['deprecatedAt', 'sunset', 'successor', 'validation'] as const),
]
// Unknown members are ignored, so that a later minor version can add some (protocol/README.md §1.3).
const schema = object(
  {
    version: { type: 'integer', const: 1 },
    instance: text,
    number: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    issuedAt: instant,
    expiresAt: instant,
    authorities: {
      type: 'array',
      items: object(
        {
          name: text,
          certificates: texts,
          subjectProfile,
          ocspNonce: { type: 'string', enum: ['required', 'optional'] },
        },
        ['subjectProfile', 'ocspNonce'],
      ),
    },
    members: {
      type: 'array',
      items: object({
        id: text,
        name: text,
        signingCertificates: texts,
        subsystems: {
          type: 'array',
          items: object({
            code: text,
            name: text,
            services: {
              type: 'array',
              items: object(
                {
                  code: text,
                  title: text,
                  type: { type: 'string', enum: ['REST', 'OPENAPI'] },
                  endpoints: { type: 'array', items: object({ method: text, path: text }) },
                  descriptionDigest: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' },
                  classification: text,
                  version: { type: 'string', pattern: '^\\d+\\.\\d+\\.\\d+$' },
                  state: { type: 'string', enum: ['published', 'deprecated', 'retired'] },
                  deprecatedAt: instant,
                  sunset: instant,
                  successor: text,
                  validation: { type: 'string', enum: ['enforce', 'report', 'off'] },
                },
                LIFE_OF_SERVICE,
              ),
            },
          }),
        },
      }),
    },
    gateways: {
      type: 'array',
      items: object({ id: text, address: text, certificates: texts, clients: texts }),
    },
    groups: { type: 'array', items: object({ code: text, title: text, members: texts }) },
    timeStampingAuthorities: {
      type: 'array',
      items: object({ name: text, url: text, certificates: texts }),
    },
    logPolicy: text,
    stops: { type: 'array', items: object({ subject: text, since: instant, reason: text }) },
  },
  ['timeStampingAuthorities', 'logPolicy', 'stops'],
)
const isSnapshot = new Ajv().compile<Snapshot>(schema as unknown as JSONSchemaType<Snapshot>)

/**
 * Verifies a snapshot's signature and form. Number and expiry are for the holder to judge: they
 * depend on what it has and on its clock.
 *
 * @param jws compact JWS, `typ` `spean-snapshot`, ES256, signed by a key of the anchor.
 * @throws ExchangeError `catalogue.unavailable` when signature, type, instance or form is wrong.
 */
export async function verifySnapshot(jws: string, anchor: Anchor): Promise<Snapshot> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ExchangeError('catalogue.unavailable', `the snapshot ${why}`, { cause })
  }
  // Decoders pass over stray characters and bits: one snapshot has one spelling.
  if (!jws.split('.').every(isBase64url)) return refuse('is not base64url')
  const { payload } = await compactVerify(jws, createLocalJWKSet({ keys: anchor.keys }), {
    algorithms: ['ES256', 'ES384', 'EdDSA', 'PS256'],
  })
    .then((verified) =>
      verified.protectedHeader.typ === SNAPSHOT_TYPE ? verified : refuse('is another kind of JWS'),
    )
    .catch((error: unknown) => {
      if (!(error instanceof errors.JOSEError)) throw error
      return refuse('is not signed by a key of the anchor', error)
    })
  const value = parsePayload(payload)
  if (!isSnapshot(value)) return refuse('does not follow the protocol')
  // A time that is none would compare as never over.
  if ([value.issuedAt, value.expiresAt].some((time) => Number.isNaN(Date.parse(time)))) {
    return refuse('has a time that is none')
  }
  if (value.instance !== anchor.instance) return refuse('is of another instance')
  return value
}

/** Without a copy of the megabytes: the letters of base64url, and nothing in bits that the last one has too many. */
function isBase64url(part: string): boolean {
  const tail = part.slice(part.length - (part.length % 4))
  return /^[\w-]*$/.test(part) && Buffer.from(tail, 'base64url').toString('base64url') === tail
}

/** Undefined, which is no snapshot, for what is not JSON. */
function parsePayload(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    return undefined
  }
}
