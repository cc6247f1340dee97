/** Errors about what a caller sent and who it is; part of the table in error-table.ts. */
export const CALLER_ERRORS = {
  // What the information system sent
  'request.malformed': {
    status: 400,
    fault: 'client.bad_request',
    title: 'Request does not follow the protocol',
    remedy: 'Compare the call with protocol/README.md §3.',
    move: 'client',
  },
  'request.client-missing': {
    status: 400,
    fault: 'client.missing_client_identifier',
    title: 'X-Road-Client is missing',
    remedy: 'Send X-Road-Client: INSTANCE/CLASS/MEMBER/SUBSYSTEM with every call.',
    move: 'client',
  },
  'request.header-repeated': {
    status: 400,
    fault: 'client.duplicate_header',
    title: 'A protocol header is repeated',
    remedy: 'Send each X-Road header once; look for a proxy that adds a second one.',
    move: 'client',
  },
  'request.identifier-invalid': {
    status: 400,
    fault: 'client.invalid_identifier',
    title: 'An identifier is malformed',
    remedy: 'Use the spelling of listClients, each part percent-encoded by itself, in Unicode NFC.',
    move: 'client',
  },
  'request.version-unsupported': {
    status: 400,
    fault: 'client.unsupported_protocol_version',
    title: 'Protocol version is not supported',
    remedy: 'Begin the path with /r1/.',
    move: 'client',
  },
  'request.path-invalid': {
    status: 400,
    fault: 'client.invalid_request_uri',
    title: 'Path is malformed or could be read in two ways',
    remedy: 'Send a path without dot segments, control characters or broken percent-encoding.',
    move: 'client',
  },
  'request.method-unsupported': {
    status: 405,
    fault: 'client.invalid_http_method',
    title: 'HTTP method is not supported here',
    remedy:
      'Use one that the header Allow names; services take DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT and TRACE.',
    move: 'client',
  },
  'request.route-unknown': {
    status: 404,
    fault: 'client.unknown_path',
    title: 'Nothing is served at this path',
    remedy:
      'Services are called at /r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE; GET /listClients lists who is registered.',
    move: 'client',
  },
  'request.target-too-long': {
    status: 414,
    fault: 'client.request_uri_too_long',
    title: 'URL is too long',
    remedy: 'Shorten path and query to 8192 bytes, or send the data in the body.',
    move: 'client',
  },
  'request.headers-too-large': {
    status: 431,
    fault: 'client.headers_too_large',
    title: 'Headers are too large',
    remedy: 'Send at most 16384 bytes of headers.',
    move: 'client',
  },
  'request.body-too-large': {
    status: 413,
    fault: 'client.body_too_large',
    title: 'Body is larger than this gateway accepts',
    remedy: 'Send less in one call, or ask the operator of the gateway to raise maxBodyBytes.',
    move: 'client',
  },
  'request.body-incomplete': {
    status: 400,
    fault: 'client.incomplete_body',
    title: 'Body ended before it was complete',
    remedy: 'Check the connection between the information system and the gateway.',
    move: 'client',
  },
  'request.timeout': {
    status: 408,
    fault: 'client.timeout',
    title: 'Request did not arrive in time',
    remedy: 'Send the request without pauses longer than the idle timeout of the gateway.',
    move: 'client',
  },
  // Who asks
  'client.unknown': {
    status: 403,
    fault: 'server.$.unknown_member',
    title: 'Client is not registered in the instance',
    remedy:
      'Check X-Road-Client against GET /listClients; a new subsystem is registered in the catalogue first.',
    move: 'client',
  },
  'client.not-served': {
    status: 403,
    fault: 'server.$.unknown_member',
    title: 'Client is not served by this gateway',
    remedy:
      "Call the gateway of the client's own member, or have the subsystem added to this gateway in the catalogue.",
    move: 'here',
  },
  'client.certificate-missing': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed',
    title: 'Information system showed no certificate',
    remedy: 'Connect with the client certificate registered for this subsystem.',
    move: 'client',
  },
  'client.certificate-unregistered': {
    status: 403,
    fault: 'server.$.ssl_authentication_failed',
    title: 'Certificate is not registered for this client',
    remedy: 'Register the certificate at the gateway: spean information-system add.',
    move: 'here',
  },
  // Administration
  'admin.unauthenticated': {
    status: 401,
    fault: 'client.unauthenticated',
    title: 'Credentials are missing or wrong',
    remedy:
      'Send Authorization: Bearer with the token from the admin token file, an API key, or a token of a configured identity provider.',
    move: 'client',
  },
  'admin.not-permitted': {
    status: 403,
    fault: 'client.not_permitted',
    title: 'Token is not for that',
    remedy:
      'Ask the administrator; auditors have what is below /audit ("role": "auditor" in a profile of spean).',
    move: 'client',
  },
  'admin.approval-needed': {
    status: 403,
    fault: 'client.approval_needed',
    title: 'What is new is approved by the operator first',
    remedy: 'Ask for it: spean catalogue request.',
    move: 'instance',
  },
  'admin.own-request': {
    status: 403,
    fault: 'client.own_request',
    title: 'Nobody decides on a request of their own',
    remedy: 'Have another person with the role of the operator decide.',
    move: 'client',
  },
  'admin.invalid': {
    status: 422,
    fault: 'client.invalid_input',
    title: 'Input is not valid',
    remedy: 'Correct the named field.',
    move: 'client',
  },
  'admin.not-found': {
    status: 404,
    fault: 'client.not_found',
    title: 'No such thing is registered',
    remedy: 'List what is there first.',
    move: 'client',
  },
  'admin.conflict': {
    status: 409,
    fault: 'client.conflict',
    title: 'Something else depends on it, or it is already there',
    remedy: 'Remove what depends on it first.',
    move: 'client',
  },
} as const
