package local

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/cluster/node/provision"
)

// provisioner is the user under which nodes make volumes.
const provisioner = "messagerie-provisioner"

// installStorage makes the class of local volumes and gives the nodes' provisioner its rights.
func installStorage(ctx context.Context, c client.Client) error {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: provisioner},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: provisioner},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: provisioner}},
	}
	for _, object := range []client.Object{provision.StorageClass(StorageClass), provision.ClusterRole(provisioner), binding} {
		if err := c.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("cannot install %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}
