/** The blocks of VERIFY.md about records, tree, witnesses and time. */
import type { LogStamp } from '../stamp-store.ts'
import type { EvidenceChain, EvidenceRecord } from './evidence.ts'
import { FILE, MESSAGES, type ExchangeDescription } from './layout.ts'
import { genTimeOf, label, stamperLines } from './verify-text-manifests.ts'

export function checkpointBlock(
  records: readonly EvidenceRecord[],
  about: Pick<ExchangeDescription, 'exchangeId' | 'side'> & { readonly isComplete: boolean },
): string {
  const { exchangeId, side, isComplete } = about
  const first = records[0]?.record.position ?? 0
  const positions = records.map(({ part, record }) => `'${part}': ${record.position}`).join(', ')
  const signed = records
    .filter(({ part, record }) => record.manifest && MESSAGES.some((message) => message === part))
    .map(({ part }) => `'${part}'`)
  return `The records, and the tree that they stand in

A record and its salt hash to a leaf of the tree (RFC 6962); the proof leads from it to the root in the checkpoint, which the log and its
witnesses signed. \`policy\` says whose keys those are, and how many witnesses it takes.

\`\`\`sh
python3 -I - <<'END' || fail 'the records do not fit the checkpoint'
import os, sys; sys.path.insert(0, os.environ['W'])
from common import *
note = read('${FILE.checkpoint}').decode()
text, _, signatures = note.rpartition('\\n\\n')
text += '\\n'
write('checkpoint.text', text.encode())
origin, size, root = text.split('\\n')[:3]
def signed_by(vkey, kind):
    name, key_id, key = vkey.split('+', 2)
    key = base64.b64decode(key)
    need(key[0] == kind and sha256(name.encode() + b'\\n' + key)[:4].hex() == key_id, name + ': the key has another id')
    for _, by, value in (line.split(' ') for line in signatures.splitlines()):
        value = base64.b64decode(value)
        if by != name or value[:4].hex() != key_id: continue
        message, signature = text, value[4:]
        if kind == 4: message, signature = f'cosignature/v1\\ntime {int.from_bytes(value[4:12], "big")}\\n{text}', value[12:]
        write('key', pem('PUBLIC KEY', bytes.fromhex('302a300506032b6570032100') + key[1:]))
        write('message', message.encode())
        write('signature', signature)
        openssl('pkeyutl', '-verify', '-pubin', '-inkey', W + '/key', '-rawin', '-in', W + '/message', '-sigfile', W + '/signature')
        print('checkpoint of', size, 'records signed by', name)
        return True
    return False
log, enough, quorum = False, {'none'}, ''
for word, *words in (line.split() for line in read('${FILE.policy}').decode().splitlines() if line.strip() and not line.startswith('#')):
    if word == 'log' and words[0].split('+')[0] == origin: log = signed_by(words[0], 1) or log
    if word == 'witness' and signed_by(words[1], 4): enough.add(words[0])
    if word == 'group' and sum(member in enough for member in words[2:]) >= ({'any': 1, 'all': len(words) - 2}.get(words[1]) or int(words[1])): enough.add(words[0])
    if word == 'quorum': quorum = words[0]
need(log, 'the checkpoint is not signed by the log')
${isComplete ? "need(quorum in enough, 'too few witnesses cosigned the checkpoint')" : "if quorum not in enough: print('TOO FEW witnesses cosigned the checkpoint')"}
positions, records = {${positions}}, {}
for part, position in positions.items():
    record, (proof, _, same) = read(part + '/record.json'), read(part + '/proof.tlog-proof').decode().partition('\\n\\n')
    need(same == note, part + ': the proof is about another checkpoint')
    node = sha256(b'\\0' + sha256(read(part + '/salt') + record))
    _, index, *hashes = proof.split('\\n')
    need(index == f'index {position - 1}', part + ': the proof is about another position')
    fn, sn = position - 1, int(size) - 1
    for sibling in map(base64.b64decode, hashes):
        need(sn > 0, part + ': the proof is too long')
        if fn % 2 or fn == sn:
            node = sha256(b'\\1' + sibling + node)
            while fn and not fn % 2: fn, sn = fn // 2, sn // 2
        else: node = sha256(b'\\1' + node + sibling)
        fn, sn = fn // 2, sn // 2
    need(sn == 0 and node == base64.b64decode(root), part + ': the record is not in the tree')
    record = records[part] = load(record)
    need(record['kind'] == part.split('-')[0] and record.get('side') == (None if record['kind'] == 'erasure' else '${side}'), part + ': the record is of another kind, or of the other side')
    print(part, 'is record', position, 'recorded', record['recordedAt'])
    if record['kind'] == 'erasure':
        need(any(first <= other <= last for other in positions.values() for first, last in load(record['detail'])['positions']), part + ': it erased nothing of this exchange')
        continue
    need(record['exchangeId'] == '${exchangeId}', part + ': the record is about another exchange')
    need(record.get('begunAt') == (None if position == ${first} else ${first}), part + ': the record is of another run of the exchange')
    need(('manifest' in record) == (part in [${signed.join(', ')}]), part + ': the record has no manifest, or one that is not here')
    if 'manifest' not in record: continue
    need(record['manifest'] == read(part + '/manifest.jws').decode(), part + ': the record is about another manifest')
    head, manifest = (load(unb64u(piece)) for piece in record['manifest'].split('.')[:2])
    for name in 'client', 'service', 'messageId', *(['status'] if part == 'response' else ['method', 'target', 'userId', 'issue', 'representedParty', 'purpose']):
        need(record.get(name) == manifest.get(name), part + ': record and manifest differ in ' + name)
    need(record['bodyBytes'] == manifest['bodySize'], part + ': record and manifest differ in size')
    need(instant(records['request']['at']) - 301 <= head['iat'] <= instant(record['recordedAt']) + 300, part + ': it was not signed when the records say')
description = load(read('${FILE.exchange}'))
need([one['part'] for one in description['records']] == list(records), 'exchange.json has other records')
for one in description['records']:
    record = records[one['part']]
    need(all(one.get(name) == record.get(name) for name in ('at', 'recordedAt', 'kept')), 'exchange.json and record differ: ' + one['part'])
need(description['origin'] == origin and all(description.get(name) == records[description['records'][0]['part']].get(name) for name in ('client', 'service', 'peer')), 'exchange.json is about others')
need(description['checkpoint']['size'] == int(size), 'exchange.json is about another checkpoint')
absent = {one['what']: one['reason'] for one in description['absent']}
need(not any(map(os.path.exists, absent)), 'exchange.json says that a file is absent which is here')
erased = [pair for event in records.values() if event['kind'] == 'erasure' for pair in load(event['detail'])['positions']]
for part in [${signed.join(', ')}]:
    for name, kept in ('headers', ['full', 'digest']), ('body', ['full']):
        reason = absent.get(part + '/' + name)
        need(reason or os.path.exists(part + '/' + name), part + '/' + name + ' is not here, and nothing says why')
        need(reason is None or (reason == 'not-kept') == (records[part]['kept'] not in kept), part + '/' + name + ': the record says otherwise what was kept')
        need(reason != 'erased' or any(first <= positions[part] <= last for first, last in erased), part + '/' + name + ': no erasure erased it')
END
\`\`\`
`
}

export function stampBlock({ token }: LogStamp, chain: EvidenceChain): string {
  const { name } = chain
  return `When

The time-stamp (RFC 3161) says that the checkpoint, and so the records, existed at that time.

\`\`\`sh
${stamperLines(chain, genTimeOf(token)).join('\n')}
${label('checkpoint, time-stamp')}openssl ts -verify -data "\${W:?}/checkpoint.text" -in ${FILE.timeStamp} -token_in -attime ${genTimeOf(token)} -CAfile "$W/${name}.root.pem" -untrusted "$W/${name}.issuers.pem" || fail 'the time-stamp does not verify'
openssl ts -reply -in ${FILE.timeStamp} -token_in -token_out -text > "$W/time-stamp.txt" || fail 'the time-stamp cannot be read'
grep '^Time stamp:' "$W/time-stamp.txt" || fail 'the time-stamp says no time'
python3 -I - <<'END' || fail 'the time-stamp says another time than exchange.json and the records'
import os, re, sys; sys.path.insert(0, os.environ['W'])
from common import *
said = dict(line.split(': ', 1) for line in open(W + '/time-stamp.txt') if ': ' in line)
at = calendar.timegm(time.strptime(re.sub(r'\\.\\d+', '', said['Time stamp'].strip()), '%b %d %H:%M:%S %Y GMT'))
description = load(read('${FILE.exchange}'))
need(instant(description['timeStamp']['genTime']) == at, 'exchange.json has another time')
need(int(description['timeStamp']['serial'], 16) == int(said['Serial number'], 16), 'exchange.json has another serial number')
need(all(instant(one['recordedAt']) - 300 <= at for one in description['records']), 'it is older than a record that it is about')
END
\`\`\`
`
}
