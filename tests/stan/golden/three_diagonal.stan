// y ~ x + diag(x + z | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of a integrated out, in
// sums over rows that are formed once, so that its cost does not grow with
// the number of rows. That u is drawn from its exact distribution given the
// parameters in generated quantities.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, X, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   r: y - X * beta
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   R: a root of Z' * Z; the columns of Z * inverse(R) are orthogonal
//   zz: of each level, their products
//   Lambda: Cholesky factor of the covariance matrix of R * u, over sigma
//   L: of each level, L * L' = Lambda' * zz * Lambda + I
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // R, R' * R = S, from the last column on: its product with a lower triangular
  // root of a covariance matrix then keeps its digits.
  matrix root_from_last(matrix S) {
    int k = rows(S);
    array[k] int back = reverse(linspaced_int_array(k, 1, k));
    // a little more, lest it be singular: columns may depend on others, or be 0
    matrix[k, k] T = add_diag(S, 1e-10 * diagonal(S) + 1e-100);
    return cholesky_decompose(T[back, back])[back]';
  }
  // L of all levels at once, L * L' = Lambda' * zz * Lambda + I, and below it
  // w', L * w = Lambda' * Zr.
  array[,] vector cholesky_by_level(matrix zz, matrix Zr, matrix Lambda) {
    int k = cols(Zr);
    int J = rows(Zr);
    array[k + 1, k] vector[J] L = rep_array(rep_vector(0, J), k + 1, k);
    for (h in 1 : k) {
      for (i in h : k + 1) {
        vector[J] m = i > k ? Zr * Lambda[ : , h]
                      : zz * to_vector(Lambda[ : , i] * Lambda[ : , h]');
        for (p in 1 : h - 1) {
          m -= L[i, p] .* L[h, p];
        }
        L[i, h] = i == h ? sqrt(1 + m) : m ./ L[h, h];
      }
    }
    return L;
  }
  // v of all levels, L' * v being normal around w with deviation sigma.
  matrix draw_by_level_rng(array[,] vector L, real sigma) {
    int k = dims(L)[2];
    int J = dims(L)[3];
    matrix[J, k] v;
    for (h in 1 : k) {
      int i = k + 1 - h;
      v[ : , i] = L[k + 1, i]
                  + sigma * to_vector(normal_rng(zeros_vector(J), 1));
      for (p in i + 1 : k) {
        v[ : , i] -= L[p, i] .* v[ : , p];
      }
      v[ : , i] ./= L[i, i];
    }
    return v;
  }
}
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 1] X; // x
  vector[N] x_z; // z
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  vector<lower=0>[3] prior_sd_a_scale; // 4.352, 4.346, 3.826
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  real y_mean = mean(y);
  matrix[N, 3] D = append_col(append_col(ones_vector(N), X_c), y - y_mean);
  matrix[3, 3] DD = crossprod(D);
  // sums of products over the rows of each level
  // Z: (Intercept), x, z
  matrix[N, 3] Z_a = [ones_row_vector(N), X[ : , 1]', x_z']';
  // in orthogonal columns, a covariate that is far from zero costs no digits
  matrix[3, 3] R = root_from_last(crossprod(Z_a));
  matrix[3, 3] R_inv = inverse(R);
  Z_a = Z_a * R_inv;
  array[N_a] matrix[3, 3] ZZ_a = rep_array(rep_matrix(0, 3, 3), N_a);
  matrix[3 * N_a, 3] ZD_a = rep_matrix(0, 3 * N_a, 3);
  for (n in 1 : N) {
    ZZ_a[level_a[n]] += Z_a[n]' * Z_a[n];
    for (i in 1 : 3) {
      int j = (i - 1) * N_a + level_a[n];
      ZD_a[j] += Z_a[n, i] * D[n];
    }
  }
  matrix[N_a, 9] zz; // each level in a row
  for (j in 1 : N_a) {
    zz[j] = to_row_vector(ZZ_a[j]);
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  vector<lower=0>[3] sd_a; // (Intercept), x, z
  real<lower=0> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of a integrated out
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[3 * N_a] Zr = ZD_a * c;
    matrix[3, 3] root = diag_matrix(sd_a / sigma);
    matrix[3, 3] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[4, 3] vector[N_a] L = cholesky_by_level(zz, to_matrix(Zr, N_a, 3),
                                  Lambda);
    real rr = dot_product(c, DD * c);
    for (i in 1 : 3) {
      rr -= dot_self(L[4, i]);
    }
    target += -sum(log(L[1, 1] .* L[2, 2] .* L[3, 3]));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[N_a, 3] u_a;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[3 * N_a] Zr = ZD_a * c;
    matrix[3, 3] root = diag_matrix(sd_a / sigma);
    matrix[3, 3] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[4, 3] vector[N_a] L = cholesky_by_level(zz, to_matrix(Zr, N_a, 3),
                                  Lambda);
    u_a = draw_by_level_rng(L, sigma) * (R_inv * Lambda)';
  }
}
