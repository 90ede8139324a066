// Settings of a session: times with their units, what a client gives when it connects, and what RESET goes back to.

import { expect, test } from 'vitest'
import { PgSettings } from '../../../../../client/gateway/pg/settings.ts'

const begun = (parameters: Record<string, string>): PgSettings => {
  const settings = new PgSettings()
  settings.begin(new Map(Object.entries(parameters)))
  return settings
}

test.each([
  ['1000', 1000, '1s'], ['0', 0, '0'], ['200ms', 200, '200ms'], [" 1s ", 1000, '1s'], ["'10s'", 10_000, '10s'], ['0.02min', 1200, '1200ms'],
  ['1000us', 1, '1ms'], ['1d', 86_400_000, '1d'], ['90min', 5_400_000, '90min'],
  ['2147483647', 2_147_483_647, '2147483647ms'], ['.5s', 500, '500ms'],
])('a timeout of %j is %i ms, and shown as %s', (value, ms, shown) => {
  const settings = new PgSettings()
  settings.set('statement_timeout', value)
  expect([settings.timeoutMs, settings.get('statement_timeout')]).toEqual([ms, shown])
})

test.each(['abc', '1S', '1sec', '-5', '10 days', '2147483648', '1e3', '1s1', '--1'])('a timeout of %j is refused', value => {
  for (const name of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
    expect(() => new PgSettings().set(name, value)).toThrow(expect.objectContaining({ code: 'EINVAL', details: { sqlstate: '22023' } }))
})

test('what a client gives when it connects holds, and RESET goes back to it', () => {
  const settings = begun({ user: 'ada', statement_timeout: '1000', application_name: 'a tool', options: '-c lock_timeout=2s --search_path=a\\ b' })
  expect([settings.timeoutMs, settings.get('application_name'), settings.get('lock_timeout'), settings.get('search_path')])
    .toEqual([1000, 'a tool', '2s', 'a b'])
  settings.set('statement_timeout', '5s')
  settings.set('lock_timeout', '0')
  settings.set('statement_timeout', 'default')
  expect([settings.timeoutMs, settings.get('lock_timeout')]).toEqual([1000, '0'])
  settings.clear()
  expect(settings.get('lock_timeout')).toBe('2s')
})

test('zone, forms and unknown names that a driver gives by itself are passed over; options that do not hold are refused', () => {
  const settings = begun({ TimeZone: 'Europe/Berlin', DateStyle: 'German', extra_float_digits: '2', nope: '1', '_pq_.x': 'y' })
  expect([settings.get('TimeZone'), settings.get('DateStyle'), settings.get('extra_float_digits')]).toEqual(['UTC', 'ISO, MDY', '2'])
  for (const options of ['-c nope=1', '-c DateStyle=German', '-cstatement_timeout=1sec', '-d 5', '-c'])
    expect(() => begun({ options }), options).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => begun({ statement_timeout: 'soon' })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => begun({ client_encoding: 'LATIN1' })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
})

test('a transaction that is rolled back undoes its settings; a local one ends with it in any case, and has no effect without one', () => {
  const settings = begun({ statement_timeout: '1s' })
  settings.set('statement_timeout', '2s', true)
  expect(settings.get('statement_timeout')).toBe('1s')
  settings.open()
  settings.set('statement_timeout', '3s', true)
  settings.set('application_name', 'b')
  expect([settings.get('statement_timeout'), settings.get('application_name')]).toEqual(['3s', 'b'])
  settings.end(true)
  expect([settings.get('statement_timeout'), settings.get('application_name')]).toEqual(['1s', 'b'])
  settings.open()
  settings.set('statement_timeout', '4s')
  settings.set('lock_timeout', '4s')
  settings.set('lock_timeout', 'default')
  settings.set('application_name', '')
  settings.end(false)
  expect([settings.get('statement_timeout'), settings.get('application_name')]).toEqual(['1s', 'b'])
  settings.open()
  settings.set('statement_timeout', '4s')
  settings.set('statement_timeout', '5s', true)
  settings.end(true)
  expect(settings.get('statement_timeout')).toBe('4s')
  settings.open()
  settings.clear()
  settings.end(true)
  expect(settings.get('statement_timeout')).toBe('1s')
})

test('names are those of settings, and no others that objects have', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'nope'])
    for (const ask of [() => new PgSettings().get(name), () => new PgSettings().set(name, '5'), () => new PgSettings().set(name, '')])
      expect(ask).toThrow(expect.objectContaining({ code: 'EINVAL', details: { sqlstate: '42704' } }))
})
