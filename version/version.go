// Package version holds what a build knows of itself.
package version

// Version is the release, set by the linker for a released build.
var Version = "0.1.0"

// Commit is the source revision, set by the linker; empty for a plain go build.
var Commit = ""

// StackImage is the reference of the image that cells and gateways run.
func StackImage() string { return "messagerie.gouv.tg/stackd:" + Version }
