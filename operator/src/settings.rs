//! What a run of the operator is told at its start; nothing here changes while it runs.

/// The settings of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The namespaces it looks after; none: all of them.
    pub namespaces: Vec<String>,
    /// The image of frontends whose resource names none.
    pub frontend_image: String,
    /// The Role or ClusterRole that a RoleBinding must give the operator where it may not read a Secret.
    pub secrets_role: String,
    /// Who the operator is to the API server: the subject of that RoleBinding.
    pub operator: ServiceAccount,
    /// Which of several operators this is: the holder of the lease and the reporting instance of events.
    pub instance: String,
}

/// A ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServiceAccount {
    /// The command that gives a role to this account in a namespace. The binding is named after the role, so that it can be
    /// given twice without harm.
    #[must_use]
    pub fn binding(&self, role: &str, namespace: &str) -> String {
        let Self { namespace: home, name } = self;
        format!(
            "kubectl -n {namespace} create rolebinding {role} --clusterrole={role} --serviceaccount={home}:{name}"
        )
    }
}
