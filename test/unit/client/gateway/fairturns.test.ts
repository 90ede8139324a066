// Turns of names: one piece of work at a time, names in turn, and at the bound the name with the most work loses its last piece.

import { expect, test } from 'vitest'
import { FairTurns } from '../../../../client/gateway/fairturns.ts'

/** Runs work named by its letter and a number; returns what ran, in order, and what was refused. */
async function ran(max: number, asked: string): Promise<{ order: string; refused: string }> {
  const turns = new FairTurns({ max, full: () => new Error('full') })
  let running = 0
  let order = ''
  let refused = ''
  await Promise.all(asked.split(' ').map(async piece => {
    await turns.run(piece[0]!, async () => {
      expect(++running).toBe(1)
      turns.checkState()
      await Promise.resolve()
      order += `${piece} `
      running--
    }).catch(() => { refused += `${piece} ` })
    turns.checkState()
  }))
  return { order: order.trim(), refused: refused.trim() }
}

test('names take turns, and the work of one name keeps its order', async () => {
  expect(await ran(9, 'a1 a2 a3 b1 b2 c1')).toEqual({ order: 'a1 a2 b1 c1 a3 b2', refused: '' })
})

test('at the bound the name with the most waiting work makes room for a name with less, and else the new work is refused', async () => {
  // One runs and three wait.
  expect(await ran(4, 'a1 a2 a3 a4 a5 b1')).toEqual({ order: 'a1 a2 b1 a3', refused: 'a5 a4' })
  expect(await ran(4, 'a1 a2 b1 c1 d1')).toEqual({ order: 'a1 a2 b1 c1', refused: 'd1' })
})

test('work that fails ends its turn', async () => {
  const turns = new FairTurns({ max: 2, full: () => new Error('full') })
  const failed = turns.run('a', () => Promise.reject(new Error('wrong')))
  const next = turns.run('b', () => Promise.resolve('right'))
  await expect(failed).rejects.toThrow('wrong')
  expect(await next).toBe('right')
})
