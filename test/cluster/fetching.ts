// Setup of tests of clusters: a connection that `fetch` keeps for later requests is closed after a second. A server closes it after a
// minute, which is seldom more than the time between two requests of a test, and is so on a busy machine: a request with a body that is
// sent at the same moment fails.

import { Agent, setGlobalDispatcher } from 'undici'

const keptMs = 1_000

setGlobalDispatcher(new Agent({ keepAliveTimeout: keptMs, keepAliveMaxTimeout: keptMs, headersTimeout: 0, bodyTimeout: 0 }))
