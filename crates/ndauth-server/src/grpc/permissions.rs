//! `PermissionService`.

use ndauth_proto::catalogue_to_proto;
use ndauth_proto::v1::permission_service_server::PermissionService;
use ndauth_proto::v1::{ListPermissionsRequest, ListPermissionsResponse, ResourceType};
use tonic::{Request, Response, Status, async_trait};

use super::fields::paged;
use super::service::{GrpcService, answer, taken};

#[async_trait]
impl PermissionService for GrpcService {
    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let types = catalogue_to_proto(&*self.authority.list_permissions(&credential).await?);
            let by = |of: &ResourceType| of.name.clone();
            let (resource_types, next_page_token) = paged(types, by, request.page_size, &request.page_token)?;
            Ok(ListPermissionsResponse { resource_types, next_page_token })
        })
        .await
    }
}
