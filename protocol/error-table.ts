import { ACCESS_ERRORS } from './access-errors.ts'
import { CALLER_ERRORS } from './caller-errors.ts'
import { CATALOGUE_ERRORS } from './catalogue-errors.ts'
import { PEER_ERRORS } from './peer-errors.ts'
import type { MoveEntry } from './refusal.ts'
import { TRUST_ERRORS } from './trust-errors.ts'

/**
 * Every error that may cross the wire. The key is the stable code and part of the protocol: adding
 * one is a minor version, renaming one a major (protocol/README.md §8). docs/error-codes.md is made
 * from this table.
 *
 * In `fault`, `$` stands for `clientproxy` or `serverproxy`, the side that refused. In `move`, `here` is the operator
 * of the gateway that refused, `there` of the other one.
 */
export const ERRORS = {
  ...CALLER_ERRORS,
  ...CATALOGUE_ERRORS,
  ...TRUST_ERRORS,
  // Where to
  'service.unknown': {
    status: 404,
    fault: 'server.$.unknown_service',
    title: 'No such service in the catalogue',
    remedy: 'List what the provider offers: GET /r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/listMethods.',
    move: 'client',
  },
  'provider.unknown': {
    status: 404,
    fault: 'server.$.unknown_member',
    title: 'No such provider in the catalogue',
    remedy: 'Check member and subsystem in the path against GET /listClients.',
    move: 'client',
  },
  'provider.no-gateway': {
    status: 503,
    fault: 'server.$.unknown_server',
    title: 'Provider has no gateway to call',
    remedy:
      'Ask the provider to register a gateway for the subsystem, or correct X-Road-Security-Server.',
    move: 'provider',
  },
  'provider.unreachable': {
    status: 502,
    fault: 'server.$.network_error',
    title: 'Provider gateway cannot be reached',
    remedy:
      'Try again later; if it lasts, ask the provider whether its gateway runs and port and firewall are open.',
    move: 'there',
  },
  'provider.timeout': {
    status: 504,
    fault: 'server.$.timeout',
    title: 'Provider gateway did not answer in time',
    remedy:
      'The call may have been carried out: look it up by its exchange id before repeating it.',
    move: 'client',
  },
  'provider.answer-invalid': {
    status: 502,
    fault: 'server.$.invalid_response',
    title: 'Provider gateway gave no valid answer',
    remedy: "Give the exchange id to the operator of the provider's gateway.",
    move: 'there',
  },
  'provider.answer-incomplete': {
    status: 502,
    fault: 'server.$.io_error',
    title: 'Answer of the provider gateway broke off',
    remedy:
      'The call may have been carried out: look it up by its exchange id before repeating it.',
    move: 'client',
  },
  'provider.certificate-unregistered': {
    status: 502,
    fault: 'server.$.ssl_authentication_failed',
    title: 'Provider gateway showed a certificate that is not registered for it',
    remedy: 'Ask the provider to register the certificate of its gateway in the catalogue.',
    move: 'there',
  },
  'provider.overloaded': {
    status: 503,
    fault: 'server.$.overloaded',
    title: 'All connections to the provider gateway are in use',
    remedy: 'Nothing was sent; repeat the call in a moment.',
    move: 'client',
  },
  'provider.signer-missing': {
    status: 503,
    fault: 'server.$.cannot_create_signature',
    title: 'Provider gateway cannot sign for the provider',
    remedy:
      'The provider registers its signing certificate in the catalogue and gives its gateway the key.',
    move: 'provider',
  },
  'response.mismatch': {
    status: 502,
    fault: 'server.$.inconsistent_response',
    title: 'Answer does not belong to this request',
    remedy: "Give the exchange id to the operator of the provider's gateway.",
    move: 'there',
  },
  ...PEER_ERRORS,
  ...ACCESS_ERRORS,
  // The service
  'service.not-connected': {
    status: 503,
    fault: 'server.$.service_missing_url',
    title: 'Service has no address at its gateway',
    remedy: 'The provider sets it: spean service connect.',
    move: 'provider',
  },
  'service.unreachable': {
    status: 502,
    fault: 'server.$.service_failed.network_error',
    title: 'Service cannot be reached',
    remedy: 'Ask the provider whether the information system behind its gateway runs.',
    move: 'provider',
  },
  'service.overloaded': {
    status: 503,
    fault: 'server.$.service_failed.overloaded',
    title: 'All connections to the service are in use',
    remedy: 'The service was not called; repeat the call in a moment.',
    move: 'client',
  },
  'service.timeout': {
    status: 504,
    fault: 'server.$.service_failed.timeout',
    title: 'Service did not answer in time',
    remedy: 'The call may have been carried out; ask the provider before repeating it.',
    move: 'provider',
  },
  'service.answer-invalid': {
    status: 502,
    fault: 'server.$.service_failed.http_error',
    title: 'Service answered something that is not HTTP',
    remedy: 'Give the exchange id to the provider.',
    move: 'provider',
  },
  'service.answer-incomplete': {
    status: 502,
    fault: 'server.$.service_failed.io_error',
    title: 'Answer of the service broke off',
    remedy: 'The call may have been carried out; ask the provider before repeating it.',
    move: 'provider',
  },
  'service.answer-too-large': {
    status: 502,
    fault: 'server.$.service_failed.answer_too_large',
    title: 'Answer of the service is larger than its gateway accepts',
    remedy: 'Ask for less in one call, or have the provider raise maxBodyBytes of its gateway.',
    move: 'provider',
  },
  'service.certificate-unknown': {
    status: 502,
    fault: 'server.$.service_failed.certificate_unknown',
    title: 'HTTPS service shows a certificate that nobody vouches for at its gateway',
    remedy:
      'Give the provider gateway the certificate of the service or of its issuer: spean service connect --ca FILE.',
    move: 'provider',
  },
  'service.description-missing': {
    status: 404,
    fault: 'server.$.invalid_request',
    title: 'Service has no description',
    remedy: 'listMethods shows which services are described (service_type OPENAPI).',
    move: 'client',
  },
  // The gateway itself
  'catalogue.unavailable': {
    status: 503,
    fault: 'server.$.global_conf_outdated',
    title: 'Gateway has no catalogue snapshot yet',
    remedy: 'Check that the gateway reaches the catalogue; spean status shows what it last heard.',
    move: 'here',
  },
  'catalogue.expired': {
    status: 503,
    fault: 'server.$.global_conf_outdated',
    title: 'Catalogue snapshot has expired',
    remedy: 'Check that the gateway reaches the catalogue; spean status shows what it last heard.',
    move: 'here',
  },
  'catalogue.outdated': {
    status: 503,
    fault: 'server.$.global_conf_outdated',
    title: 'Catalogue hands out an older snapshot than it did before',
    remedy:
      'The gateway works on by the one it has. Where the catalogue was restored from a backup: spean catalogue resume.',
    move: 'instance',
  },
  'log.unavailable': {
    status: 503,
    fault: 'server.$.logging_failed',
    title: 'Exchange could not be recorded, so nothing is handed on',
    remedy:
      'Nothing was lost: free the disk or repair the log store of the named side, then repeat the call.',
    move: 'here',
  },
  'log.unavailable-after-call': {
    status: 503,
    fault: 'server.$.logging_failed.after_call',
    title: 'Exchange could not be recorded to its end, so its answer is not handed on',
    remedy:
      'The call may have been carried out: look it up by its exchange id before repeating it.',
    move: 'client',
  },
  'log.held': {
    status: 409,
    fault: 'server.$.log_held',
    title: 'A legal hold keeps what was to be erased',
    remedy: 'Ask who set the hold; erase when it was released: spean log hold list.',
    move: 'client',
  },
  'log.erasure-unfinished': {
    status: 503,
    fault: 'server.$.log_erasure_unfinished',
    title: 'The erasure is recorded, but not finished',
    remedy:
      'Repeat the command once the log store can write and no backup reads it; the gateway tries again by itself, too.',
    move: 'here',
  },
  'log.unstamped': {
    status: 503,
    fault: 'server.$.logging_failed.unstamped',
    title:
      'Exchanges are refused: the exchange log has had no time-stamp for longer than its operator allows',
    remedy:
      'Nothing was handed on: repeat the call later. The operator of the named side: spean status shows which time-stamping authority does not answer, and why; the next token ends it.',
    move: 'here',
  },
  'log.behind-witnesses': {
    status: 503,
    fault: 'server.$.logging_failed.behind_witnesses',
    title: 'Exchange log is an older copy of itself: witnesses have seen more of it',
    remedy:
      'The operator of the named side restores the newest copy of the log, or begins the next one: docs/witnesses.md.',
    move: 'here',
  },
  'storage.unavailable': {
    status: 503,
    fault: 'server.$.io_error',
    title: 'Gateway has no room for the body',
    remedy: 'Free the disk that holds the spool folder of the named side, then repeat the call.',
    move: 'here',
  },
  'evidence.incomplete': {
    status: 503,
    fault: 'server.$.evidence_incomplete',
    title: 'Evidence lacks what proves it',
    remedy:
      'Ask again when what is named is there; or take what there is: incomplete=allow, spean evidence get --allow-incomplete.',
    move: 'client',
  },
  'evidence.altered': {
    status: 409,
    fault: 'server.$.evidence_altered',
    title: 'Record of the exchange was altered after it was recorded',
    remedy:
      'Have the log of the named gateway checked, spean log verify, and restore it from a backup.',
    move: 'here',
  },
  'gateway.stopping': {
    status: 503,
    fault: 'server.$.shutting_down',
    title: 'Gateway is stopping',
    remedy: 'Repeat the call in a moment.',
    move: 'client',
  },
  'gateway.certificate-inactive': {
    status: 503,
    fault: 'server.$.certificate_not_active',
    title: 'Certificate is at the gateway but not registered in the catalogue',
    remedy:
      'Register the named certificate: spean member certificate, or spean gateway certificate.',
    move: 'here',
  },
  'gateway.certificate-unsuitable': {
    status: 503,
    fault: 'server.$.no_suitable_certificate',
    title: 'Gateway has no certificate that it may use',
    remedy:
      'Replace the named certificates: spean enroll with a new one-time code; spean cert explain says what each lacks.',
    move: 'here',
  },
  'gateway.clock-off': {
    status: 503,
    fault: 'server.$.clock_off',
    title: 'Clock of the gateway is wrong',
    remedy:
      'Set the clock of the named gateway by NTP: chronyc tracking, or timedatectl, shows it.',
    move: 'here',
  },
  internal: {
    status: 500,
    fault: 'server.$.internal_error',
    title: 'Internal error',
    remedy: 'Give the exchange id to the operator of the named side; its log has the cause.',
    move: 'here',
  },
} as const satisfies Record<
  string,
  { status: number; fault: string; title: string; remedy: string; move: MoveEntry }
>
