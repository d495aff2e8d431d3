// Package stack runs the conformance suites against our own mail stack: a gateway and a cell as Pods run them, started
// as plain processes on loopback addresses, without Kubernetes.
package stack
