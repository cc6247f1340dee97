/** Whether a call may be made: grants, contracts (protocol/README.md §13), descriptions (§14). See error-table.ts. */
export const ACCESS_ERRORS = {
  'access.denied': {
    status: 403,
    fault: 'server.$.access_denied',
    title: 'Client may not call this service',
    remedy: 'Ask the owner of the service for a grant for this client, method and path.',
  },
  'access.path-ambiguous': {
    status: 403,
    fault: 'server.$.access_denied.ambiguous_path',
    title: 'Path could mean another one at the service',
    remedy:
      'The grant is limited to some paths: send the path without %2F, %5C, //, or double encoding.',
  },
  'access.purpose-missing': {
    status: 403,
    fault: 'server.$.access_denied.purpose_missing',
    title: 'Call does not say for what purpose it is made',
    remedy: 'Send one of the purposes of the named contract in the header Spean-Purpose.',
  },
  'access.purpose-denied': {
    status: 403,
    fault: 'server.$.access_denied.purpose_denied',
    title: 'Contract does not allow this purpose',
    remedy: 'Use a purpose of the named contract, or ask its provider for one more.',
  },
  'access.user-missing': {
    status: 403,
    fault: 'server.$.access_denied.user_missing',
    title: 'Call does not say for which user it is made',
    remedy: 'Send the user in the header X-Road-UserId.',
  },
  'access.case-missing': {
    status: 403,
    fault: 'server.$.access_denied.case_missing',
    title: 'Call does not say for which case it is made',
    remedy: 'Send the number of the case in the header X-Road-Issue.',
  },
  'access.token-missing': {
    status: 403,
    fault: 'server.$.access_denied.token_missing',
    title: 'Service asks for a signed token of the user',
    remedy: 'Send a token of the identity provider of the member in the header Spean-User-Token.',
  },
  'access.token-invalid': {
    status: 403,
    fault: 'server.$.access_denied.token_invalid',
    title: 'Signed token of the user is not accepted',
    remedy:
      'Get a new token from the identity provider that the contract names; the detail says what is wrong with this one.',
  },
  'access.quota-exceeded': {
    status: 429,
    fault: 'server.$.access_denied.quota_exceeded',
    title: 'Quota of the contract is used up',
    remedy: 'Repeat the call after the time in Retry-After, or ask the provider for more.',
  },
  'access.stopped': {
    status: 403,
    fault: 'server.$.access_denied.stopped',
    title: 'Operator of the instance has stopped this client or service',
    remedy: 'Ask the operator of the instance; the detail says since when, and why.',
  },
  'contract.malformed': {
    status: 400,
    fault: 'client.malformed_contract',
    title: 'Contract does not follow the protocol',
    remedy: 'Compare the contract with protocol/README.md §13 and its vectors.',
  },
  'contract.signature-invalid': {
    status: 403,
    fault: 'server.$.contract.signature_invalid',
    title: 'Signature of a contract does not verify',
    remedy: 'The contract was altered, or signed by somebody else: sign it again.',
  },
  'contract.signer-unknown': {
    status: 403,
    fault: 'server.$.contract.signer_unknown',
    title: 'Contract is signed by a member that is no party to it',
    remedy:
      'Client and provider sign, each with a certificate that is listed for its member in the catalogue.',
  },
  'contract.unknown': {
    status: 403,
    fault: 'server.$.contract.unknown',
    title: 'Provider gateway does not know the contract of this call',
    remedy: 'See with spean contract list, on both sides, whether it is in force.',
  },
  'contract.not-yet-valid': {
    status: 403,
    fault: 'server.$.contract.not_yet_valid',
    title: 'Contract is not in force yet',
    remedy: 'Call after the time from which the named contract is valid.',
  },
  'contract.expired': {
    status: 403,
    fault: 'server.$.contract.expired',
    title: 'Contract has ended',
    remedy: 'Ask for a new one: spean contract renew.',
  },
  'contract.revoked': {
    status: 403,
    fault: 'server.$.contract.revoked',
    title: 'Contract was revoked',
    remedy: 'The detail says by whom, when and why; ask that member.',
  },
  'contract.conflict': {
    status: 409,
    fault: 'client.contract_conflict',
    title: 'Contract is not in a state for this',
    remedy: 'See its state with spean contract show, and act on that.',
  },
  'validation.request-invalid': {
    status: 400,
    fault: 'client.invalid_request.description',
    title: 'Request is not what the description of the service says',
    remedy: 'Correct the named places; the description is what getOpenAPI gives.',
  },
  'validation.content-type': {
    status: 415,
    fault: 'client.invalid_request.content_type',
    title: 'Body is of a media type that is not taken here',
    remedy: 'Send one of the named media types.',
  },
  'validation.operation-unknown': {
    status: 404,
    fault: 'client.invalid_request.operation',
    title: 'Description of the service has no such operation',
    remedy: 'See method and path in the description: getOpenAPI.',
  },
  'validation.answer-invalid': {
    status: 502,
    fault: 'server.$.service_failed.invalid_answer',
    title: 'Answer of the service is not what its description says',
    remedy: 'Give the exchange id to the provider: the named places are wrong in its answer.',
  },
  'service.retired': {
    status: 410,
    fault: 'server.$.unknown_service.retired',
    title: 'Service was retired',
    remedy: 'Use the service that the detail names, or ask its owner.',
  },
} as const
