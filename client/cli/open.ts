// The cluster that a command works on, by the global options, the environment, or what runs on this machine.

import { GristmillError } from '../../src/base/errors.ts'
import type { Mill } from '../mill.ts'
import type { Context } from './context.ts'

export async function openMill(_context: Context): Promise<Mill> {
  throw new GristmillError('UNAVAILABLE', 'no cluster')
}
