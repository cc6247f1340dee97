/**
 * VERIFY.md: commands that prove an archive on a clean Debian 12. Files are compared twice, in two ways, at the
 * beginning and at the end, and no command stands behind the last comparison: a change of this text that disarms
 * one of them is found by the other.
 */
import type { Evidence, EvidenceChain } from './evidence.ts'
import { incompleteness, type Absence } from './layout.ts'
import { checkpointBlock, stampBlock } from './verify-text-log.ts'
import { certificatesBlock, manifestsBlock, readSigned } from './verify-text-manifests.ts'

/** @param names of all files but SHA256SUMS. */
export function verifyText(evidence: Evidence, names: readonly string[]): string {
  const { description, chains, records, checkpointNote, stamp, absent } = evidence
  const isComplete = incompleteness(absent).length === 0
  const signed = readSigned(evidence)
  const proved = records.filter(({ proof }) => proof !== undefined)
  const stamper = chains.find(({ name }) => name === 'time-stamp')
  const blocks = [
    filesBlock(names),
    toolsBlock(),
    ...(signed.length > 0
      ? [manifestsBlock(signed, description.exchangeId), certificatesBlock(signed)]
      : []),
    ...(checkpointNote ? [checkpointBlock(proved, { ...description, isComplete })] : []),
    ...(stamp && stamper ? [stampBlock(stamp, stamper)] : []),
    lastBlock(
      chains,
      `${isComplete ? 'PROVED' : 'PROVED WHAT IS HERE; INCOMPLETE'}: ${description.exchangeId}`,
    ),
  ]
  return `${heading(evidence)}${blocks.map((block, i) => `\n## ${numbered(block, i + 1)}`).join('')}`
}

/** A block says its title when it is run as well: what the tools print is theirs, and short. */
function numbered(block: string, number: number): string {
  const title = `${number}. ${block.slice(0, block.indexOf('\n'))}`
  return `${number}. ${block.replace('```sh\n', `\`\`\`sh\necho '${title}'\n`)}`
}

function heading({ description, absent }: Evidence): string {
  const { exchangeId, client, service, side, origin } = description
  const list = absent.map(
    ({ what, reason, detail }) => `- \`${what}\`: ${reason}; ${lineOf(detail)}\n`,
  )
  return `# Evidence of exchange ${exchangeId}

${lineOf(client ?? 'An unknown client')} called ${lineOf(service ?? 'an unknown service')}. This is from the log of the ${side}'s gateway,
${lineOf(origin)}.

These commands prove it on Debian 12 without anything of ours: \`apt install openssl python3 jose\`. Unpack, change into the
folder, and run the blocks in turn in one \`sh\`, or all at once:

    sed -n '/^\`\`\`sh$/,/^\`\`\`$/{/^\`\`\`/!p}' VERIFY.md > /tmp/verify.sh; sh /tmp/verify.sh

It is proved when the exit status is 0 and the last line begins with PROVED. Whatever is wrong ends it, with a line that begins with
FAILED.

Two things no archive can vouch for: these commands, and the keys that everything rests on. Read the commands before you run them (they read
the files here and write to one temporary folder), or verify with a program of your own, \`spean evidence verify\`. Compare the keys that the
last block prints with what the operators published.
${absent.length > 0 ? `\n${introduction(absent)}:\n\n${list.join('')}` : ''}`
}

function introduction(absent: readonly Absence[]): string {
  return incompleteness(absent).length > 0
    ? '**This evidence is incomplete.** Not in it are'
    : 'Not in this archive, and not needed to prove the rest, are'
}

/** Identifiers are what members chose: they stand in the text as one line of it, and cannot begin a block. */
function lineOf(text: string): string {
  return `\`${text.replace(/[\p{Cc}\p{Zl}\p{Zp}`]/gu, '\ufffd')}\``
}

function filesBlock(names: readonly string[]): string {
  return `The files are all there, and no others

\`\`\`sh
export LC_ALL=C
fail() { echo "FAILED: $1" >&2; false || exit 11; }
W=$(mktemp -d) && export W || fail 'no temporary folder can be made'
find . ! -type d ! -path ./SHA256SUMS -printf '%P\\n' | sort | xargs sha256sum > "$W/sums"
diff "$W/sums" SHA256SUMS >&2 || fail 'the files are not those of SHA256SUMS'
cut -c 67- SHA256SUMS > "$W/names"
diff "$W/names" - >&2 <<'END' || fail 'the files are not those that belong to this evidence'
${[...names].sort().join('\n')}
END
\`\`\`
`
}

function toolsBlock(): string {
  return `What the next blocks use

Python reads files and computes digests; signatures are verified by openssl and jose. The certificates of each signer are taken
apart: the signer's, the one of its issuer, the root. \`state.py\` reads what openssl says of an authority's answer about a certificate: it was
good, or was revoked only after the time in question; an answer from before holds until a day after its Next Update.

\`\`\`sh
cat > "\${W:?}/common.py" <<'END'
import base64, calendar, glob, hashlib, json, os, subprocess, sys, time
W = os.environ['W']
def need(ok, what):
    if not ok: sys.exit('FAILED: ' + what)
def once(members):
    need(len(dict(members)) == len(members), 'a member stands twice')
    return dict(members)
def instant(text): return calendar.timegm(time.strptime(text[:19], '%Y-%m-%dT%H:%M:%S'))
def load(text): return json.loads(text, object_pairs_hook=once)
def read(name): return open(name, 'rb').read()
def write(name, data): open(os.path.join(W, name), 'wb').write(data)
def sha256(data): return hashlib.sha256(data).digest()
def b64u(data): return base64.urlsafe_b64encode(data).rstrip(b'=').decode()
def unb64u(text): return base64.urlsafe_b64decode(text + '==')
def digest(name):
    total = hashlib.sha256()
    with open(name, 'rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''): total.update(chunk)
    return b64u(total.digest())
def unpem(text): return [base64.b64decode(part.split('-----')[0]) for part in text.split('-----BEGIN CERTIFICATE-----')[1:]]
def pem(label, der):
    text = base64.b64encode(der).decode()
    lines = [text[at:at + 64] for at in range(0, len(text), 64)]
    return '\\n'.join([f'-----BEGIN {label}-----', *lines, f'-----END {label}-----', '']).encode()
def openssl(*args): return subprocess.run(('openssl',) + args, stdout=subprocess.PIPE, check=True).stdout
END
cat > "$W/state.py" <<'END'
import calendar, sys, time
said, notes, at = open(sys.argv[1]).read().splitlines(), open(sys.argv[1] + '.notes').read().splitlines(), int(sys.argv[2])
def seconds(what):
    times = [line.split(': ', 1)[1] for line in said if line.strip().startswith(what + ': ')]
    return calendar.timegm(time.strptime(times[0], '%b %d %H:%M:%S %Y GMT')) if times else None
# openssl warns in between when the answer is old by now, which it may be
good, later = 'good' in (line.split('.pem: ')[-1] for line in said), (seconds('Revocation Time') or 0) > at
is_fresh = seconds('This Update') >= at or seconds('Next Update') + 86400 >= at
if 'Response verify OK' not in notes or not (good or later) or not is_fresh: sys.exit('\\n'.join(said + notes))
print('  not revoked then, said its authority:', '; '.join(line.strip() for line in said if line.startswith('\\t')))
END
python3 -I - <<'END' || fail 'the certificates cannot be read'
import os, sys; sys.path.insert(0, os.environ['W'])
from common import *
for file in glob.glob('certificates/*.pem'):
    chain, name = unpem(read(file).decode()), os.path.basename(file)[:-4]
    need(read(file) == b''.join(pem('CERTIFICATE', der) for der in chain), file + ' has more in it than certificates')
    for role, ders in ('leaf', chain[:1]), ('issuer', chain[:2][-1:]), ('issuers', chain[1:] or chain), ('root', chain[-1:]):
        write(f'{name}.{role}.pem', b''.join(pem('CERTIFICATE', der) for der in ders))
END
\`\`\`
`
}

function lastBlock(chains: readonly EvidenceChain[], verdict: string): string {
  const byRoot = Map.groupBy(chains, ({ certificates }) => certificates.at(-1)!.toString('base64'))
  const roots = [...byRoot.values()].map(
    ([{ name } = chains[0]!]) =>
      `openssl x509 -in "\${W:?}/${name}.root.pem" -noout -subject -fingerprint -sha256 || fail '${name}: there is no root'\n`,
  )
  return `What everything rests on; and the files once more

Compare the fingerprints of the roots, the key of the log and those of the witnesses with what the operators published.

\`\`\`sh
${roots.join('')}grep -E '^(log|witness|group|quorum) ' policy || fail 'the policy names no keys'
python3 -I - <<'END' && echo '${verdict}'
import hashlib, os, sys
found = sorted(os.path.relpath(os.path.join(folder, name)) for folder, _, names in os.walk('.') for name in names)
def line(name):
    total = hashlib.sha256()
    with open(name, 'rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''): total.update(chunk)
    return f'{total.hexdigest()}  {name}\\n'
if ''.join(line(name) for name in found if name != 'SHA256SUMS') != open('SHA256SUMS', newline='').read():
    sys.exit('FAILED: the files are not those of SHA256SUMS')
END
\`\`\`
`
}
