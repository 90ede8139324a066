// Settings from flags, variables and the config file: their precedence, relative paths, and refusal of unknown names and wrong values with
// the place of the mistake.

import { expect, test } from 'vitest'
import { configFileOf, flagOf, resolveSettings, settingNames, variableOf, type ConfigSources } from '../../../../src/base/config.ts'

const given = (more: Partial<ConfigSources> = {}): ConfigSources => ({
  flags: {}, env: {}, cwd: '/work dir', userDirectory: '/home/ada', ...more,
})
const file = (json: unknown) => ({ path: '/etc/gristmill/config.json', text: typeof json === 'string' ? json : JSON.stringify(json) })

test('flags win over variables, variables over the file, and what none of them sets is missing', () => {
  const sources = given({ flags: { replication: 1 }, env: { GRISTMILL_REPLICATION: '2', GRISTMILL_BLOCK_SIZE: '1MiB' } })
  const settings = resolveSettings(sources, file({ replication: 3, blockSize: '64k', rack: '/row1' }))
  expect(settings).toEqual({ home: '/home/ada/.gristmill', replication: 1, blockSize: 1024 * 1024, rack: '/row1' })
})

test('relative paths start where they were written', () => {
  const settings = resolveSettings(
    given({ flags: { dir: ['a', '/b'] }, env: { GRISTMILL_LOG_FILE: 'log' } }),
    file({ secretFile: 'secret' }),
  )
  expect(settings).toMatchObject({ dir: ['/work dir/a', '/b'], logFile: '/work dir/log', secretFile: '/etc/gristmill/secret' })
})

test('the config file is the one asked for, else config.json in the home', () => {
  expect(configFileOf(given())).toEqual({ path: '/home/ada/.gristmill/config.json', asked: false })
  expect(configFileOf(given({ env: { GRISTMILL_HOME: '/data' } }))).toEqual({ path: '/data/config.json', asked: false })
  expect(configFileOf(given({ env: { GRISTMILL_CONFIG: 'x.json' } }))).toEqual({ path: '/work dir/x.json', asked: true })
  expect(configFileOf(given({ env: { GRISTMILL_CONFIG: 'x.json' }, flags: { config: '/y.json' } }))).toEqual({
    path: '/y.json', asked: true,
  })
})

test('an unknown name is refused with the nearest one', () => {
  const refusal = (sources: ConfigSources, json?: unknown) => {
    try { resolveSettings(sources, json === undefined ? undefined : file(json)) } catch (error) { return error as Error & { code: string } }
    throw new Error('nothing was refused')
  }
  expect(refusal(given({ env: { GRISTMILL_REPLICAION: '2' } }))).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/GRISTMILL_REPLICAION.*did you mean GRISTMILL_REPLICATION\?/),
  })
  // The prefix, which all have, makes no name near.
  expect(refusal(given({ env: { GRISTMILL_NOPE: '2' } })).message).toBe('the variable GRISTMILL_NOPE is not known (gristmill help settings lists them all)')
  expect(refusal(given(), { blocksize: '1m' })).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/"blocksize".*did you mean blockSize\?/),
  })
  expect(refusal(given(), { zzzzzzzzzzzz: 1 }).message).not.toMatch(/did you mean/)
  expect(refusal(given(), { home: '/x' })).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('--home') })
})

test('a value of the wrong kind is refused with its place and what would be right', () => {
  const cases: [ConfigSources, unknown, RegExp][] = [
    [given({ env: { GRISTMILL_PORT: '99999' } }), undefined, /GRISTMILL_PORT: "99999" is not a whole number from 0 to 65535/],
    [given({ flags: { blockSize: '12 parsecs' } }), undefined, /--block-size: "12 parsecs" is not a size/],
    [given(), { slots: -1 }, /"slots" in \/etc\/gristmill\/config\.json: -1 is not/],
    [given(), { slots: 1.5 }, /1\.5 is not a whole number/],
    [given(), { profile: 'fast' }, /"fast" is not one of durable, test-without-fsync/],
    [given({ flags: { advertise: 'mill' } }), undefined, /--advertise: "mill" is not an address of the form host:port/],
    [given({ flags: { advertise: 'http://mill:1' } }), undefined, /is not an address/],
    [given(), { advertise: 'mill:65536' }, /is not an address/],
    [given(), { debug: 'maybe' }, /"maybe" is not true or false/],
    [given({ env: { GRISTMILL_BLOCK_SIZE: '1' } }), undefined, /GRISTMILL_BLOCK_SIZE: "1" is not from 512 bytes to 2047MiB/],
    [given({ flags: { blockSize: '2GiB' } }), undefined, /--block-size: "2GiB" is not from 512 bytes to 2047MiB/],
    [given(), { memory: 512 }, /512 is not at least 16MiB/],
    [given(), { inlineBytes: '17KiB' }, /"17KiB" is not at most 16KiB/],
    [given(), { heartbeat: '1ms' }, /"1ms" is not at least 10 ms/],
    [given(), { backupEvery: '5ms' }, /"5ms" is not at least 1\.0 s, or 0/],
    [given(), { scrubRate: 0 }, /0 is not at least 1KiB/],
    [given(), { rack: 7 }, /7 is not a text/],
    [given(), '[1]', /must be one JSON object/],
    [given(), '{', /not JSON/],
  ]
  for (const [sources, json, message] of cases) {
    expect(() => resolveSettings(sources, json === undefined ? undefined : file(json)), String(message)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    )
  }
})

test('0 is taken where it has a meaning of its own', () => {
  const settings = resolveSettings(given({ flags: { backupEvery: '0s', scrubPeriod: 0, inlineBytes: 0 } }), undefined)
  expect(settings).toMatchObject({ backupEvery: 0, scrubPeriod: 0, inlineBytes: 0 })
})

test('an empty variable says nothing, and variables of others are not ours', () => {
  expect(resolveSettings(given({ env: { GRISTMILL_CLUSTER: '', PATH: '/bin', GRISTMILLER: 'x' } }))).toEqual({
    home: '/home/ada/.gristmill',
  })
})

test('numbers and durations may be written as JSON numbers', () => {
  expect(resolveSettings(given(), file({ blockSize: 4096, nodeDead: 1500, slots: 2, debug: true }))).toMatchObject({
    blockSize: 4096, nodeDead: 1500, slots: 2, debug: true,
  })
})

test('every setting has a variable and a flag of its own', () => {
  expect(new Set(settingNames.map(variableOf)).size).toBe(settingNames.length)
  expect(variableOf('secretFile')).toBe('GRISTMILL_SECRET_FILE')
  expect(flagOf('secretFile')).toBe('--secret-file')
})
