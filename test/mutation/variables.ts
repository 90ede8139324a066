// Environment variables through which test/mutation controls the test runner.

/** JSON of the Mutant that every test file runs against; empty: none. Read each time a source is compiled. */
export const mutantVariable = 'GRISTMILL_TEST_MUTANT'
/** JSON list of the files whose functions are recorded. */
export const recordVariable = 'GRISTMILL_TEST_RECORD'
/** Directory for recordings. */
export const recordingsVariable = 'GRISTMILL_TEST_RECORDINGS'
