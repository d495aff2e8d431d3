// Package wire holds the connections of virtual users: TCP from a chosen source address, behind a shaped uplink, with
// TLS, buffers that are borrowed from a pool, a bounded transcript, and a Poller that keeps idle connections
// without a goroutine and without buffers.
package wire
