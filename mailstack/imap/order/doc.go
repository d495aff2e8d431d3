// Package order sorts and threads messages as RFC 5256 and RFC 5957 say. It is pure: what it needs of a message is computed
// once, from its envelope and references, and kept by the caller.
//
// Everything takes about linear time (sorting: n log n), however hostile subjects and references are, and nothing recurses.
package order
