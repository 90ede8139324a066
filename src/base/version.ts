// The version that processes tell each other and people. package.json says the same; a test compares.

export const version = '0.1.0'
