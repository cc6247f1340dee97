/** Limits of protocol version 1 (protocol/README.md §9). Bytes unless the name says otherwise. */
export const LIMITS = {
  /** Request target: path and query together, as sent. */
  targetBytes: 8192,
  /** Header block of a message: names, values, and two bytes for each line. */
  headerBlockBytes: 16_384,
  /** Characters of one part of an identifier, after decoding. */
  identifierPartLength: 128,
  /** A compact JWS manifest; the longest target, base64url-encoded twice over, fits. */
  manifestBytes: 49_152,
  /** A signed token of a user. */
  userTokenBytes: 8192,
  /** All headers of one message between gateways: header block, manifest, and HTTP's own. */
  wireHeaderBytes: 98_304,
  /** A refusal's problem document. */
  problemBytes: 65_536,
  /** A signed snapshot. */
  snapshotBytes: 67_108_864,
  /** A gateway's registration at the catalogue, a compact JWS. */
  registrationBytes: 65_536,
  /** An anchor statement, JWS in general JSON serialisation. */
  anchorBytes: 262_144,
  /** A question of §15, or its answer. */
  explainBytes: 65_536,
  /** Entries of one message of certificate states. */
  certificateStates: 256,
  /** The body of such a message. */
  certificateStatesBytes: 1_048_576,
  /** A JSON body that is compared with a description, packed or not (§14). */
  validatedBodyBytes: 2_097_152,
  /** Furthest that the time of a signature may be from the receiver's clock, either way, in seconds. */
  signatureAgeSeconds: 300,
} as const
