//! `PermissionService`.

use ndauth_proto::catalogue_to_proto;
use ndauth_proto::v1::permission_service_server::PermissionService;
use ndauth_proto::v1::{ListPermissionsRequest, ListPermissionsResponse};
use tonic::{Request, Response, Status, async_trait};

use crate::grpc::{Service, credential, status};

#[async_trait]
impl PermissionService for Service {
    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsResponse>, Status> {
        let credential = credential(&request)?;
        let catalogue = self.authority.list_permissions(&credential).await.map_err(|error| status(&error))?;
        Ok(Response::new(ListPermissionsResponse { resource_types: catalogue_to_proto(&catalogue) }))
    }
}
