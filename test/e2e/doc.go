// Package e2e walks the whole road from outside: built binaries, YAML, and the mail clients that people use.
package e2e
