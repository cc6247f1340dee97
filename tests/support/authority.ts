import type { AuthorityConfig } from '../../pki/authority/config.ts'
import { DEFAULT_ACCURACY_MS, DEFAULT_POLICY } from '../../pki/authority/time-stamping.ts'

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
    timeStamping: { policy: DEFAULT_POLICY, accuracyMs: DEFAULT_ACCURACY_MS },
    ...changes,
  }
}
