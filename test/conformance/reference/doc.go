// Package reference starts other people's IMAP servers, each with a private configuration on a loopback address, two
// accounts and every extension it has switched on: what the suite is proved against. It installs nothing.
package reference
