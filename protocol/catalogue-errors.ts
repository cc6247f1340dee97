/** What the catalogue refuses of services and their changes (protocol/README.md §7.8). */
export const CATALOGUE_ERRORS = {
  'service.version-too-low': {
    status: 409,
    fault: 'client.version_too_low',
    title: 'Change of a service needs a higher version',
    remedy:
      'Give it the version that the detail names: MAJOR for breaking changes, MINOR for compatible ones, PATCH for texts.',
    move: 'client',
  },
  'service.change-too-early': {
    status: 409,
    fault: 'client.change_too_early',
    title: 'Breaking change would take effect before consumers had notice of it',
    remedy:
      'Let it take effect at the named time or later; the operator may shorten the notice with a reason that is recorded.',
    move: 'client',
  },
  'service.state-conflict': {
    status: 409,
    fault: 'client.service_state_conflict',
    title: 'Service is not in a state for this',
    remedy: 'See state and planned change with spean service show, and act on that.',
    move: 'client',
  },
} as const
