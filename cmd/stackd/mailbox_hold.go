package main

import (
	"context"
	"fmt"
	"io"
)

func holdMailbox(ctx context.Context, v *verb, _ io.Reader, _ io.Writer) error {
	address, err := v.account(2)
	if err != nil {
		return err
	}
	switch state := v.flags.Arg(1); state {
	case "on", "off":
		return v.client.SetHold(ctx, address, state == "on")
	default:
		return fmt.Errorf("%w: found %q; accepted are on and off", errUsage, state)
	}
}
