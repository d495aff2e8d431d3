package local

import (
	"context"

	"github.com/go-logr/logr"

	"gouv.tg/messagerie/operator"
	"gouv.tg/messagerie/version"
)

// startOperator runs the same operator as on any cluster, under its own name and rights, until background ends.
func (i *Installation) startOperator(ctx, background context.Context, basePort int) (<-chan struct{}, error) {
	config, err := i.cluster.ConfigFor("messagerie-operator")
	if err != nil {
		return nil, err
	}
	if err := i.cluster.AwaitRights(ctx, config); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	options := operator.Options{
		Config: config, GatewayBasePort: basePort, Version: version.Version,
		Logger: logr.FromSlogHandler(i.log.Handler()), Ready: func() { close(ready) },
	}
	i.run(background, func() error { return operator.Run(background, options) })
	return ready, nil
}
