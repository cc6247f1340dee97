import { expect, it } from 'vitest'
import { createGroupCommit } from '../../exchange-log/group-commit.ts'

/** Commits by hand. */
function byHand(sizeOf: (entry: string) => number = () => 1) {
  const commits: { entries: readonly string[]; end: PromiseWithResolvers<number> }[] = []
  const group = createGroupCommit<string, number>(async (entries) => {
    const end = Promise.withResolvers<number>()
    commits.push({ entries, end })
    const first = await end.promise
    return entries.map((_, i) => first + i)
  }, sizeOf)
  const turn = (): Promise<void> => new Promise((done) => setImmediate(done))
  return { commits, group, turn }
}

it('what comes while a commit runs shares the next one, in its order', async () => {
  const { commits, group, turn } = byHand()
  const added = ['a', 'b', 'c'].map((entry) => group.add(entry))
  expect(commits.map(({ entries }) => entries)).toEqual([['a']])
  commits[0]!.end.resolve(5)
  await turn()
  expect(commits[1]!.entries).toEqual(['b', 'c'])
  const settled = group.settled()
  commits[1]!.end.resolve(6)
  await settled
  expect(await Promise.all(added)).toEqual([5, 6, 7])
})

it('a commit that fails rejects its own entries, and the next one is made', async () => {
  const { commits, group, turn } = byHand()
  const added = ['a', 'b', 'c'].map((entry) => group.add(entry))
  const outcomes = Promise.allSettled(added)
  commits[0]!.end.reject(new TypeError('away'))
  await turn()
  commits[1]!.end.resolve(1)
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
    'fulfilled',
  ])
  const late = group.add('d')
  commits[2]!.end.resolve(3)
  expect(await late).toBe(3)
})

it('a commit has so many entries at most, and so many bytes, but always one', async () => {
  const { commits, group, turn } = byHand((entry) => Number(entry))
  const sizes = ['1', '3000000', '1000000', '1000000', '9000000', ...Array<string>(300).fill('1')]
  const added = sizes.map((entry) => group.add(entry))
  for (let i = 0; i < commits.length; i += 1) {
    commits[i]!.end.resolve(1)
    await turn()
  }
  await Promise.all(added)
  expect(commits.map(({ entries }) => entries.length)).toEqual([1, 2, 1, 1, 256, 44])
})
