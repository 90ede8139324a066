// Local operands of put, get, cp and mv: names, links and patterns on a local disk.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { expandGlob } from '../../../../client/cli/glob.ts'
import { localTree } from '../../../../client/cli/tree.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { localDisk } from '../../../../src/world/disk.ts'

let dir = ''
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'gristmill-copying-')) })
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('local patterns enter no circle of links, follow links that they name, and list names in the order of bytes', async () => {
  mkdirSync(join(dir, 'd'))
  writeFileSync(join(dir, 'd/f'), '')
  symlinkSync('.', join(dir, 'd/one'))
  symlinkSync('.', join(dir, 'd/two'))
  for (const name of ['\uffee', '😀']) writeFileSync(join(dir, name), '')
  const expanded = (operand: string): Promise<string[]> => Array.fromAsync(expandGlob(operand, localTree(localDisk, dir)))
  expect(await expanded('d/**')).toEqual(['d/f', 'd/one', 'd/two'])
  expect(await expanded('d/one/*')).toEqual(['d/one/f', 'd/one/one', 'd/one/two'])
  expect(await expanded('?')).toEqual(['d', '\uffee', '😀'])
  expect(await expanded(`${dir}/d/f*`)).toEqual([`${dir}/d/f`])
  await expect(expanded('d/f/')).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test('links whose targets cannot be seen are names like others: they fail no pattern', async () => {
  symlinkSync('loop', join(dir, 'loop'))
  mkdirSync(join(dir, 'closed'))
  writeFileSync(join(dir, 'closed/f'), '')
  symlinkSync('closed/f', join(dir, 'link'))
  writeFileSync(join(dir, 'x.csv'), '')
  const refused = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  const disk: Disk = {
    ...localDisk,
    stat: async (path, options) => {
      if (path.endsWith('/link') && options?.follow) throw refused
      return localDisk.stat(path, options)
    },
  }
  const expanded = (operand: string): Promise<string[]> => Array.fromAsync(expandGlob(operand, localTree(disk, dir)))
  expect(await expanded('*.csv')).toEqual(['x.csv'])
  expect(await expanded('l*')).toEqual(['link', 'loop'])
  expect(await expanded('*/f')).toEqual(['closed/f'])
})
