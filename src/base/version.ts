// Version shown to users and exchanged between processes. A test compares it with package.json.

export const version = '0.1.0'
