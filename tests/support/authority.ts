import type { AuthorityConfig } from '../../pki/authority/config.ts'

/** A whole configuration with the defaults, on ports that the system chooses. */
export function authorityConfig(
  changes: Partial<AuthorityConfig> & Pick<AuthorityConfig, 'stateDir'>,
): AuthorityConfig {
  return {
    instance: 'KH-TEST',
    host: '127.0.0.1',
    publicPort: 0,
    adminPort: 0,
    estPort: 0,
    keyKind: 'P-256',
    lifetimes: {
      authentication: '730d',
      signing: '730d',
      informationSystem: '730d',
      server: '730d',
    },
    ocspValidityMinutes: 240,
    crlHours: 24,
    crlIntervalMinutes: 60,
    approval: false,
    timeStamping: { policy: '2.999.3161.1', accuracyMs: 1000 },
    ...changes,
  }
}
