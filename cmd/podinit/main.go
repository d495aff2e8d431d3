// Command podinit becomes the process of a container.
//
// The node starts it in new namespaces with a description of the container on an inherited descriptor. It builds the
// container's root, drops privileges and executes the container's command in its own place: nothing of it stays
// resident. It is not meant to be run by hand.
package main

import (
	"os"

	"gouv.tg/messagerie/cluster/node/sandbox/enter"
)

func main() { os.Exit(enter.Main()) }
