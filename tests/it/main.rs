mod signing_v1;
mod standin;
