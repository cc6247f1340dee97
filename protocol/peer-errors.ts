/** What gateways refuse of each other; part of the table in error-table.ts. */
export const PEER_ERRORS = {
  // Between gateways
  'peer.certificate-missing': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed',
    title: 'Caller showed no gateway certificate',
    remedy:
      'This port is for gateways of the instance; information systems call their own gateway.',
    move: 'client',
  },
  'peer.certificate-unregistered': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed',
    title: 'Certificate of the calling gateway is not registered',
    remedy: 'Register the authentication certificate of the gateway in the catalogue.',
    move: 'there',
  },
  'peer.client-mismatch': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed.client_mismatch',
    title: 'The calling gateway does not serve the client it speaks for',
    remedy: "Have the subsystem added to the calling gateway's clients in the catalogue.",
    move: 'there',
  },
  'manifest.missing': {
    status: 400,
    fault: 'server.$.missing_signature',
    title: 'Message carries no manifest',
    remedy: 'Send the signed manifest in the header Spean-Manifest (protocol/README.md §5).',
    move: 'there',
  },
  'manifest.malformed': {
    status: 400,
    fault: 'server.$.malformed_signature',
    title: 'Manifest does not follow the protocol',
    remedy: 'Compare the manifest with protocol/README.md §5 and its vectors.',
    move: 'there',
  },
  'manifest.signature-invalid': {
    status: 403,
    fault: 'server.$.signature_verification.invalid_signature_value',
    title: 'Signature does not verify',
    remedy:
      'The message was altered or signed with another key: compare the logs of both gateways.',
    move: 'there',
  },
  'manifest.signer-unknown': {
    status: 403,
    fault: 'server.$.signature_verification.invalid_certificate',
    title: 'Signing certificate is not registered for the member',
    remedy: "Register the member's signing certificate in the catalogue.",
    move: 'there',
  },
  'manifest.message-altered': {
    status: 403,
    fault: 'server.$.signature_verification.digest_mismatch',
    title: 'Message is not the one that was signed',
    remedy: 'Something between the gateways changed the message: look for an intercepting proxy.',
    move: 'there',
  },
  'manifest.body-altered': {
    status: 403,
    fault: 'server.$.signature_verification.body_digest_mismatch',
    title: 'Body is not the one that was signed',
    remedy: 'Something between the gateways changed the body: look for an intercepting proxy.',
    move: 'there',
  },
  'manifest.replayed': {
    status: 409,
    fault: 'server.$.replayed_request',
    title: 'Exchange was already received',
    remedy: 'Make a new call: each exchange has an id of its own.',
    move: 'client',
  },
  'manifest.time-invalid': {
    status: 403,
    fault: 'server.$.invalid_timestamp',
    title: 'Message was signed too long ago, or in the future',
    remedy: 'Set the clocks of both gateways (NTP).',
    move: 'there',
  },
} as const
