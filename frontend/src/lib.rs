//! The SIP data plane: carries SMS between the IMS core and the backend.
