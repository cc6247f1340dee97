/** Errors of the trust plumbing: encodings, certificates, enrolment, time-stamps; part of the table in error-table.ts. */
export const TRUST_ERRORS = {
  // Bytes that are not the DER they should be (ITU-T X.690)
  'encoding.malformed': {
    status: 400,
    fault: 'client.malformed_encoding',
    title: 'Bytes are not of the structure they should be',
    remedy: 'Send the DER (or PEM) that the named standard describes; openssl asn1parse shows it.',
    move: 'client',
  },
  'encoding.truncated': {
    status: 400,
    fault: 'client.malformed_encoding.truncated',
    title: 'DER value is cut off',
    remedy: 'Send the whole value: it was cut on its way, or copied in part.',
    move: 'client',
  },
  'encoding.trailing-bytes': {
    status: 400,
    fault: 'client.malformed_encoding.trailing_bytes',
    title: 'Bytes follow a DER value',
    remedy: 'Send exactly one value: take away what stands behind it.',
    move: 'client',
  },
  'encoding.not-minimal': {
    status: 400,
    fault: 'client.malformed_encoding.not_minimal',
    title: 'Encoding is BER and not DER',
    remedy: 'Encode again by DER: minimal lengths and integers, no indefinite form.',
    move: 'client',
  },
  'encoding.too-deep': {
    status: 400,
    fault: 'client.malformed_encoding.too_deep',
    title: 'DER value is nested too deep',
    remedy: 'No structure of X.509, OCSP or RFC 3161 needs that many levels: look at who made it.',
    move: 'client',
  },
  'encoding.too-large': {
    status: 413,
    fault: 'client.malformed_encoding.too_large',
    title: 'DER value is too large',
    remedy: 'Send less in one message: the limits stand in docs/certificate-profiles.md.',
    move: 'client',
  },
  // Certificates, on any of the links
  'certificate.malformed': {
    status: 400,
    fault: 'client.malformed_certificate',
    title: 'This is not a certificate',
    remedy: 'Send an X.509 certificate in PEM or DER; spean cert explain says what a file is.',
    move: 'client',
  },
  'certificate.expired': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed.certificate_expired',
    title: 'Certificate is over',
    remedy: 'Renew the named certificate, and check the clocks of both machines.',
    move: 'there',
  },
  'certificate.not-yet-valid': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed.certificate_not_yet_valid',
    title: 'Certificate is not valid yet',
    remedy: 'Check the clocks of both machines and of the authority against NTP.',
    move: 'there',
  },
  'certificate.revoked': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed.certificate_revoked',
    title: 'Certificate is revoked',
    remedy: 'Have a new certificate issued for the named subject and registered.',
    move: 'there',
  },
  'certificate.untrusted': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed.certificate_untrusted',
    title: 'Certificate has no path to an approved authority',
    remedy:
      'Use a certificate of an authority that the catalogue approves, of the right kind for its use.',
    move: 'there',
  },
  'certificate.issuer-missing': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed.issuer_missing',
    title: 'Certificate of an authority in between is missing',
    remedy: 'Register the named issuer with its authority in the catalogue, behind the root.',
    move: 'instance',
  },
  'certificate.status-unknown': {
    status: 503,
    fault: 'server.$.cert_validation.ocsp_unavailable',
    title: 'Revocation state of a certificate cannot be learnt',
    remedy:
      'Check that the OCSP responder of the named authority answers; the exchange goes on as soon as it does.',
    move: 'instance',
  },
  'certificate.status-stale': {
    status: 503,
    fault: 'server.$.cert_validation.ocsp_too_old',
    title: 'Last known revocation state of a certificate is too old',
    remedy:
      'Make the named OCSP responder answer again, or have ocspOutageMinutes raised at the side that refused.',
    move: 'instance',
  },
  // Asking for a certificate (RFC 2986, RFC 7030)
  'enrolment.unauthenticated': {
    status: 401,
    fault: 'client.enrolment.unauthenticated',
    title: 'Neither a one-time code nor a certificate was shown',
    remedy:
      'Send the code as HTTP Basic password, or renew with the certificate in force as TLS client.',
    move: 'client',
  },
  'enrolment.code-invalid': {
    status: 401,
    fault: 'client.enrolment.code_invalid',
    title: 'One-time code is not known',
    remedy: 'Copy the code again, whole; or have the operator make one: spean ca code add.',
    move: 'client',
  },
  'enrolment.code-expired': {
    status: 401,
    fault: 'client.enrolment.code_expired',
    title: 'One-time code has expired',
    remedy: 'Have the operator make another one: spean ca code add.',
    move: 'instance',
  },
  'enrolment.code-used': {
    status: 403,
    fault: 'client.enrolment.code_used',
    title: 'One-time code was used already',
    remedy:
      'A certificate was issued for it: revoke that one if it is not yours, and have another code made.',
    move: 'instance',
  },
  'enrolment.proof-invalid': {
    status: 400,
    fault: 'client.enrolment.proof_invalid',
    title: 'Request is not signed by the key it names',
    remedy: 'Make the request anew where the private key is: openssl req -new -key FILE.',
    move: 'client',
  },
  'enrolment.key-refused': {
    status: 400,
    fault: 'client.enrolment.key_refused',
    title: 'Key of the request is not accepted',
    remedy: 'Make a key of the kind P-256, P-384 or RSA with 2048 to 4096 bits.',
    move: 'client',
  },
  'enrolment.identity-mismatch': {
    status: 403,
    fault: 'client.enrolment.identity_mismatch',
    title: 'Request is for somebody else',
    remedy:
      'Ask for the identity that the code, or the certificate to be renewed, was given for; spean enroll writes the subject.',
    move: 'client',
  },
  'enrolment.extension-refused': {
    status: 400,
    fault: 'client.enrolment.extension_refused',
    title: 'Request asks for an extension that is not granted',
    remedy: 'Ask for subjectAltName only: everything else is set by the profile.',
    move: 'client',
  },
  'enrolment.rejected': {
    status: 403,
    fault: 'client.enrolment.rejected',
    title: 'Operator has rejected the request',
    remedy: 'Ask the operator for the reason; spean ca request list shows it there.',
    move: 'instance',
  },
  'enrolment.pending': {
    status: 503,
    fault: 'server.$.enrolment_pending',
    title: 'Request waits for the operator',
    remedy: 'Send the same request again later; the operator approves: spean ca request approve.',
    move: 'instance',
  },
  'enrolment.unavailable': {
    status: 503,
    fault: 'server.$.enrolment_unavailable',
    title: 'Authority did not issue a certificate',
    remedy: 'Check that the named enrolment address answers; it is tried again by itself.',
    move: 'instance',
  },
  // Gateways that register themselves at the catalogue
  'registration.malformed': {
    status: 400,
    fault: 'client.registration.malformed',
    title: 'Registration does not follow the protocol',
    remedy: 'Compare the registration with protocol/README.md §7.7 and its vectors.',
    move: 'client',
  },
  'registration.signature-invalid': {
    status: 403,
    fault: 'client.registration.signature_invalid',
    title: 'Registration is not signed by the key of its certificate',
    remedy: 'Sign with the key of the first certificate in x5c.',
    move: 'client',
  },
  'registration.time-invalid': {
    status: 403,
    fault: 'client.registration.time_invalid',
    title: 'Registration was signed too long ago, or in the future',
    remedy: 'Set the clocks of gateway and catalogue (NTP), and register again.',
    move: 'client',
  },
  'registration.not-allowed': {
    status: 403,
    fault: 'client.registration.not_allowed',
    title: 'Registration asks for what a gateway may not register itself',
    remedy: 'Have the operator of the instance register it in the catalogue.',
    move: 'instance',
  },
  'registration.approval-pending': {
    status: 403,
    fault: 'client.registration.approval_pending',
    title: 'Registration waits for the approval of the operator',
    remedy:
      'Register again when the operator has approved: spean catalogue requests, spean catalogue approve.',
    move: 'instance',
  },
  // Time-stamps (RFC 3161)
  'timestamp.none-configured': {
    status: 503,
    fault: 'server.$.no_timestamping_provider_found',
    title: 'No time-stamping authority is there to ask',
    remedy:
      'Have one approved in the catalogue: spean timestamper add; or correct timeStamping.authorities of the named gateway.',
    move: 'here',
  },
  'timestamp.unavailable': {
    status: 503,
    fault: 'server.$.timestamping_failed',
    title: 'No time-stamping authority answered',
    remedy:
      'Check that the named gateway reaches the named addresses; records are stamped as soon as one answers.',
    move: 'here',
  },
  'timestamp.refused': {
    status: 503,
    fault: 'server.$.timestamping_failed.refused',
    title: 'Time-stamping authority refused the request',
    remedy: 'Give the named failure to the operator of the time-stamping authority.',
    move: 'here',
  },
  'timestamp.untrusted': {
    status: 502,
    fault: 'server.$.tsp_certificate_not_found',
    title: 'Time-stamp is signed with a certificate that is not approved',
    remedy:
      'The time-stamping authority changed its certificate: have the new one approved in the catalogue, spean timestamper add.',
    move: 'instance',
  },
  'timestamp.invalid': {
    status: 502,
    fault: 'server.$.timestamping_failed.invalid',
    title: 'Time-stamp is not one of what was asked for',
    remedy: 'Compare the clocks of gateway and time-stamping authority, then ask its operator.',
    move: 'here',
  },
  // Anchors that follow each other
  'anchor.step-refused': {
    status: 409,
    fault: 'client.anchor_step_refused',
    title: 'Step of a rotation cannot be made now',
    remedy:
      'spean catalogue anchor show has keys and gateways; the steps are prepare, switch, retire: docs/anchor.md.',
    move: 'client',
  },
  'anchor.malformed': {
    status: 502,
    fault: 'server.$.global_conf_outdated',
    title: 'Anchor statement does not have the form it should',
    remedy:
      'Nothing was changed by it. Ask the operator of the catalogue what it serves below /anchors.',
    move: 'instance',
  },
  'anchor.not-next': {
    status: 502,
    fault: 'server.$.global_conf_outdated',
    title: 'Anchor statement does not follow the anchor that is there',
    remedy:
      'The anchor that was taken stays. Ask the operator whether the catalogue was restored from a backup: docs/anchor.md.',
    move: 'instance',
  },
  'anchor.signature-invalid': {
    status: 502,
    fault: 'server.$.global_conf_outdated',
    title: 'Anchor statement is not signed by the anchor before it and by all its new keys',
    remedy:
      'The anchor that was taken stays. When the operator has no key of it any more, a person brings the new anchor: docs/anchor.md.',
    move: 'instance',
  },
} as const
