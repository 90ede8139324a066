// Reading of statements, with an engine that has no memory left. Statements that are read: query.test.ts.

import { expect, test } from 'vitest'
import { askedOf, type SqlTools } from '../../../../client/sql/asked.ts'
import { GristmillError } from '../../../../src/base/errors.ts'

test('a statement that is too large to be read is refused with advice on the statement, and not on the memory of the query', async () => {
  let closed = 0
  const failing = (details: Readonly<Record<string, unknown>>) => askedOf({
    openDatabase: async () => ({
      confine: async () => {}, close: () => { closed++ },
      query: async () => { throw new GristmillError('TOO_LARGE', 'give it more (--memory)', { details }) },
    }),
  } as unknown as SqlTools, { text: 'SELECT 1', params: undefined, signal: undefined, space: undefined })
  await expect(failing({ engine: 'Out of Memory Error' })).rejects.toMatchObject({
    code: 'TOO_LARGE', message: expect.stringMatching(/^the statement and its parameters need more than 256.* join with a table/) as string,
  })
  await expect(failing({})).rejects.toMatchObject({ message: 'give it more (--memory)' })
  expect(closed).toBe(2)
})
