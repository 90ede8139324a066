// Version of the package: the checkout has none.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the manifest of the checkout has no version, so that npm neither packs nor publishes it', () => {
  for (const name of ['package.json', 'package-lock.json'])
    expect(JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'))).not.toHaveProperty('version')
})
