// Package script reads the suite's test scripts and matches their patterns against responses. The language is described
// in the README beside the scripts.
package script
