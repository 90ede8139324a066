// placeholder until the engine is there
import type { Context } from '../context.ts'
export async function run(_context: Context): Promise<void> { throw new Error('not yet') }
