/**
 * All handlers, by the file they are in. See route.h for what they get.
 */
#ifndef OPENRISK_API_HANDLERS_H
#define OPENRISK_API_HANDLERS_H

#include "api/route.h"

/* auth_api.c */
act_handler auth_login, auth_logout, me_get, me_update, me_change_password;
act_handler tokens_list, tokens_create, tokens_delete;
/* user_api.c */
act_handler users_list, users_create, users_update, users_delete, audit_list_get;
/* risk_api.c */
read_handler risks_list, risks_values, risks_get, risks_timeline, activity_list;
act_handler risks_create, risks_update, risks_delete, risks_restore;
/* bulk_api.c */
act_handler risks_bulk;
/* mitigation_api.c */
read_handler mitigations_of_risk, mitigations_list;
act_handler mitigations_create, mitigations_update, mitigations_delete;
act_handler sub_actions_create, sub_actions_update, sub_actions_delete;
/* asset_api.c */
read_handler assets_list, assets_get;
act_handler assets_create, assets_update, assets_delete;
/* stats_api.c */
read_handler stats_get, stats_matrix, stats_trends, stats_distribution, stats_mitigations,
    stats_top_risks;
/* transfer_api.c */
act_handler import_post, export_get;
/* cache_api.c */
act_handler cache_get_state, cache_invalidate;
enum { CACHE_ALL_SCOPES = -1 }; /* of DELETE /cache without a scope */
/* pool_api.c */
act_handler pool_get_state;
/* ops_api.c */
act_handler ops_get;
/* system_api.c */
act_handler health_get, openapi_get, front_page;

#endif
